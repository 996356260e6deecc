"""The sentences of why a contact has no day in the plan; codes are those of `engine.plan_why`.

Read through `engine.sentences`. Arabic and Persian are drafts: the final wording needs a native speaker's
sign-off.
"""

from __future__ import annotations

PLAN: dict[str, dict[str, str]] = {
    "plan_no_day": {
        "en": "It cannot be done on any day of this plan.",
        "ar": "لا يمكن تنفيذه في أي يوم من أيام هذه الخطة.",
        "fa": "در هیچ روزی از این برنامه شدنی نیست.",
    },
    "plan_equivalent": {
        "en": "Another contact about the same is planned for this account.",
        "ar": "تواصل آخر حول الموضوع نفسه مقرر مع هذا العميل.",
        "fa": "تماس دیگری دربارهٔ همین موضوع برای این مشتری برنامه‌ریزی شده است.",
    },
    "plan_spacing": {
        "en": "Another contact with this account is planned too close to it.",
        "ar": "تواصل آخر مع هذا العميل مقرر في موعد قريب جدًا.",
        "fa": "تماس دیگری با این مشتری در فاصله‌ای بسیار نزدیک برنامه‌ریزی شده است.",
    },
    "plan_enough": {
        "en": "This account has as many contacts in this plan as it may have.",
        "ar": "بلغ هذا العميل الحد الأقصى للتواصل في هذه الخطة.",
        "fa": "این مشتری در این برنامه به سقف تماس‌های خود رسیده است.",
    },
    "plan_quota": {
        "en": "The quota of this channel is used up; to have a place it would have to be worth "
              "{short_of:money} more.",
        "ar": "استُنفدت حصة هذه القناة؛ للحصول على مكان يلزم أن تزيد قيمته بمقدار {short_of:money}.",
        "fa": "سهمیهٔ این کانال پر شده است؛ برای جا گرفتن باید {short_of:money} بیشتر بیارزد.",
    },
    "plan_hours": {
        "en": "The days are full with what is worth more; to have a place it would have to be worth "
              "{short_of:money} more.",
        "ar": "الأيام ممتلئة بما هو أعلى قيمة؛ للحصول على مكان يلزم أن تزيد قيمته بمقدار {short_of:money}.",
        "fa": "روزها با کارهای باارزش‌تر پر شده‌اند؛ برای جا گرفتن باید {short_of:money} بیشتر بیارزد.",
    },
}  # fmt: skip
