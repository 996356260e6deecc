"""The sentences of reasons and objections in English, Arabic and Persian: text only.

A sentence is a template; {value:format} says how a value of the reason is put into words, {days} is short for
{days:days}; `engine.wording` has the formats. One place to add: a sentence here for the code of a new kind of
reason or rule. Arabic and Persian are drafts: the final wording needs a native speaker's sign-off. They use
verbal nouns and passive forms, since the gender of reader and customer is not known here.
"""

from __future__ import annotations

from engine.explaining_sentences import EXPLAINING, RULE_NAMES
from engine.plan_sentences import PLAN

LANGUAGES: tuple[str, ...] = ("en", "ar", "fa")

SENTENCES: dict[str, dict[str, str]] = {
    # -- reasons
    "read_topic": {
        "en": "Looked up “{topic}” {at:ago} ({channel}).",
        "ar": "سُجّل {at:ago} اطّلاع على «{topic}» ({channel}).",
        "fa": "{at:ago} صفحهٔ «{topic}» دیده شد ({channel}).",
    },
    "asked_topic": {
        "en": "Turned to us about “{topic}” {at:ago} ({channel}).",
        "ar": "ورد {at:ago} تواصل بشأن «{topic}» ({channel}).",
        "fa": "{at:ago} دربارهٔ «{topic}» با ما تماس گرفته شد ({channel}).",
    },
    "topic_of_interest": {
        "en": "Showed interest in “{topic}” {at:ago}.",
        "ar": "سُجّل {at:ago} اهتمام بموضوع «{topic}».",
        "fa": "{at:ago} به «{topic}» توجه نشان داده شد.",
    },
    "twins": {
        "en": "Similar accounts buy {value:money} more a year ({low:money} to {high:money}); "
              "{approach} worked for {worked:number} of {tried:number} of them and failed for "
              "{failed:number}.",
        "ar": "مشتريات عملاء مشابهين أعلى سنويًا بمقدار {value:money} (من {low:money} إلى {high:money})؛ "
              "{approach}: نجاح لدى {worked:number} من {tried:number}، وإخفاق لدى {failed:number}.",
        "fa": "مشتریان مشابه سالانه {value:money} بیشتر می‌خرند ({low:money} تا {high:money})؛ "
              "{approach}: موفق در {worked:number} از {tried:number} مورد، ناموفق در {failed:number} مورد.",
    },
    "twins_value": {
        "en": "Similar accounts buy {value:money} more a year ({low:money} to {high:money}; {found:number} "
              "accounts).",
        "ar": "مشتريات عملاء مشابهين أعلى سنويًا بمقدار {value:money} (من {low:money} إلى {high:money}؛ عددهم "
              "{found:number}).",
        "fa": "مشتریان مشابه سالانه {value:money} بیشتر می‌خرند ({low:money} تا {high:money}؛ {found:number} "
              "مشتری).",
    },
    "last_contact": {
        "en": "Last contact ({channel}): {at:ago}.",
        "ar": "آخر تواصل ({channel}): {at:ago}.",
        "fa": "آخرین تماس ({channel}): {at:ago}.",
    },
    "no_contact_yet": {
        "en": "No contact yet ({channel}).",
        "ar": "لم يسبق التواصل ({channel}).",
        "fa": "هنوز تماسی نبوده است ({channel}).",
    },
    "response_history": {
        "en": "Positive response to {responses:number} of {contacts} ({channel}) "
              "in the last {days}.",
        "ar": "استجابات إيجابية: {responses:number} من {contacts:number} ({channel}) خلال آخر {days}.",
        "fa": "پاسخ مثبت به {responses:number} مورد از {contacts} ({channel}) در {days} گذشته.",
    },
    "expected_value": {
        "en": "Expected to bring {caused:money} more than no contact; cost {cost:money}, "
              "risk of an opt-out "
              "{fatigue:money} ({evidence:cases}).",
        "ar": "القيمة المتوقعة مقارنةً بعدم التواصل: {caused:money}، التكلفة: {cost:money}، "
              "مخاطر الانسحاب: "
              "{fatigue:money} ({evidence:cases}).",
        "fa": "ارزش مورد انتظار نسبت به عدم تماس: {caused:money}؛ هزینه: {cost:money}؛ خطر انصراف: "
              "{fatigue:money} ({evidence:cases}).",
    },
    "starting_value": {
        "en": "Starting estimate: {caused:money} more than no contact; cost {cost:money}, "
              "risk of an opt-out "
              "{fatigue:money}. Nothing has been learned about it yet.",
        "ar": "تقدير أولي مقارنةً بعدم التواصل: {caused:money}، التكلفة: {cost:money}، مخاطر الانسحاب: "
              "{fatigue:money}؛ البيانات المتاحة لا تكفي بعد.",
        "fa": "برآورد اولیه نسبت به عدم تماس: {caused:money}؛ هزینه: {cost:money}؛ خطر انصراف: "
              "{fatigue:money}؛ هنوز داده‌ای برای یادگیری نیست.",
    },
    "expected_saving": {
        "en": "Stopping is expected to save {caused:money}; cost {cost:money} ({evidence:cases}).",
        "ar": "القيمة المتوقعة للإيقاف: {caused:money}، التكلفة: {cost:money} ({evidence:cases}).",
        "fa": "ارزش مورد انتظار توقف: {caused:money}؛ هزینه: {cost:money} ({evidence:cases}).",
    },
    "stop_saving": {
        "en": "Within {days:days} about {contacts} would follow: they would bring {lost:money} and cost "
              "{spent:money}; the risk of an opt-out ({risk:percent}) costs {avoided:money}. Stopping saves "
              "{caused:money} (from {low:money} to {high:money}).",
        "ar": "خلال {days:days} يُتوقع {contacts}: القيمة {lost:money}، التكلفة {spent:money}، وكلفة خطر "
              "إلغاء الاشتراك ({risk:percent}) {avoided:money}. ما يوفّره الإيقاف: {caused:money} "
              "(من {low:money} إلى {high:money}).",
        "fa": "در {days:days} آینده حدود {contacts} در پیش است: ارزش {lost:money}، هزینه {spent:money} و "
              "زیان خطر انصراف ({risk:percent}) {avoided:money}. صرفه‌جویی توقف: {caused:money} "
              "(از {low:money} تا {high:money}).",
    },
    "expected_response": {
        "en": "{response:percent} chance of a positive response worth {value:money} ({evidence:cases}).",
        "ar": "احتمال استجابة إيجابية {response:percent} بقيمة {value:money} ({evidence:cases}).",
        "fa": "احتمال پاسخ مثبت {response:percent}، به ارزش {value:money} ({evidence:cases}).",
    },
    "context_weight": {
        "en": "Counts {weight:number} times as much now ({weight_id:id}).",
        "ar": "الأولوية الآن × {weight:number} ({weight_id:id}).",
        "fa": "اکنون اولویت × {weight:number} ({weight_id:id}).",
    },
    "stop_no_response": {
        "en": "{contacts} ({channel}) in the last {days}, none with a positive response.",
        "ar": "{contacts} ({channel}) خلال آخر {days} دون أي استجابة إيجابية.",
        "fa": "{contacts} ({channel}) در {days} گذشته، بدون هیچ پاسخ مثبتی.",
    },
    "explored": {
        "en": "Chosen at random, to learn what works (probability {probability:percent}).",
        "ar": "اختيار عشوائي لمعرفة ما ينجح (الاحتمال {probability:percent}).",
        "fa": "انتخاب تصادفی برای یادگیری آنچه مؤثر است (احتمال {probability:percent}).",
    },
    "nothing_better": {
        "en": "None of the possible actions ({eligible:number}) is worth more than no contact today.",
        "ar": "لا يفوق أي من الإجراءات الممكنة ({eligible:number}) قيمة عدم التواصل اليوم.",
        "fa": "هیچ‌یک از اقدام‌های ممکن ({eligible:number}) امروز ارزشی بیش از عدم تماس ندارد.",
    },
    "nothing_allowed": {
        "en": "No action is allowed today.",
        "ar": "لا يوجد إجراء مسموح به اليوم.",
        "fa": "امروز هیچ اقدامی مجاز نیست.",
    },
    # -- objections of rules
    "approval_expired": {
        "en": "The approval of the text ({approval:id}) ended {approved_until:ago}.",
        "ar": "انتهت الموافقة على النص ({approval:id}) {approved_until:ago}.",
        "fa": "اعتبار تأیید متن ({approval:id}) {approved_until:ago} به پایان رسید.",
    },
    "no_executor": {
        "en": "Nobody serves this account in the role: {role}.",
        "ar": "لا يوجد {role} لهذا العميل.",
        "fa": "برای این مشتری {role} تعیین نشده است.",
    },
    "account_closed": {
        "en": "This account has been closed.",
        "ar": "أُغلق هذا الحساب.",
        "fa": "این حساب بسته شده است.",
    },
    "held_back": {
        "en": "No suggestions are made for this account at present.",
        "ar": "لا تُقدَّم اقتراحات لهذا العميل حاليًا.",
        "fa": "در حال حاضر برای این مشتری پیشنهادی داده نمی‌شود.",
    },
    "no_timezone": {
        "en": "No time zone is known for this account.",
        "ar": "المنطقة الزمنية لهذا العميل غير معروفة.",
        "fa": "منطقهٔ زمانی این مشتری معلوم نیست.",
    },
    "channel_not_outbound": {
        "en": "This channel only receives ({channel}).",
        "ar": "هذه القناة للاستقبال فقط ({channel}).",
        "fa": "این کانال فقط دریافتی است ({channel}).",
    },
    "policy": {
        "en": "{text}",
        "ar": "{text}",
        "fa": "{text}",
    },
    "policy_unknown": {
        "en": "{text} Not satisfied, because something is not known.",
        "ar": "{text} لم يتحقق الشرط لأن بعض البيانات غير معروفة.",
        "fa": "{text} شرط برقرار نیست، چون بخشی از داده‌ها معلوم نیست.",
    },
    "stage": {
        "en": "Meant for another stage ({stages:stages}); the account's stage: {stage}.",
        "ar": "مخصص لمرحلة أخرى ({stages:stages})؛ مرحلة العميل: {stage}.",
        "fa": "برای مرحلهٔ دیگری است ({stages:stages})؛ مرحلهٔ مشتری: {stage}.",
    },
    "content": {
        "en": "Its kind ({content:id}) does not fit the account's stage: {stage}.",
        "ar": "نوعه ({content:id}) لا يناسب مرحلة العميل: {stage}.",
        "fa": "نوع آن ({content:id}) با مرحلهٔ مشتری سازگار نیست: {stage}.",
    },
    "owner": {
        "en": "This is for {owners:owners} now, not for {role}.",
        "ar": "هذا الآن من اختصاص {owners:owners} وليس {role}.",
        "fa": "این اکنون بر عهدهٔ {owners:owners} است، نه {role}.",
    },
    "consent": {
        "en": "Opted out of {purpose} ({channel}).",
        "ar": "سُجّل انسحاب من {purpose} ({channel}).",
        "fa": "انصراف از {purpose} ثبت شده است ({channel}).",
    },
    "consent_unknown": {
        "en": "No permission is recorded for {purpose} ({channel}).",
        "ar": "لا توجد موافقة مسجلة على {purpose} ({channel}).",
        "fa": "برای {purpose} رضایتی ثبت نشده است ({channel}).",
    },
    "nothing_to_stop": {
        "en": "It has been stopped already.",
        "ar": "سبق إيقافه.",
        "fa": "پیش‌تر متوقف شده است.",
    },
    "snoozed": {
        "en": "A colleague has put it off or dismissed it or something like it, and the pause still lasts.",
        "ar": "سبق تأجيل هذا المقترح أو استبعاده أو استبعاد ما يشبهه، ولم تنتهِ المهلة بعد.",
        "fa": "این پیشنهاد یا مورد مشابه آن به بعد موکول یا رد شده و مهلت آن هنوز تمام نشده است.",
    },
    "resting": {
        "en": "This account is left in peace for now; {days_left:days} left.",
        "ar": "هذا العميل في فترة راحة من التواصل؛ المدة المتبقية: {days_left:days}.",
        "fa": "فعلاً با این مشتری تماسی گرفته نمی‌شود؛ {days_left:days} باقی مانده است.",
    },
    "limit": {
        "en": "{count:number} of at most {limit:number} contacts within {days} are used ({channel}).",
        "ar": "استُخدم {count:number} من حد أقصاه {limit:number} خلال {days} ({channel}).",
        "fa": "{count:number} از حداکثر {limit:number} تماس در {days} استفاده شده است ({channel}).",
    },
    "suppression": {
        "en": "Paused after {count:number} × {track} within {window_days:days}; {days_left:days} left.",
        "ar": "توقف مؤقت بعد {count:number} × {track} خلال {window_days:days}؛ المدة "
              "المتبقية: {days_left:days}.",
        "fa": "توقف موقت پس از {count:number} × {track} در {window_days:days}؛ "
              "{days_left:days} باقی مانده است.",
    },
    "stopped": {
        "en": "Such contacts have been stopped for everybody until further notice.",
        "ar": "أُوقفت هذه الاتصالات للجميع حتى إشعار آخر.",
        "fa": "این تماس‌ها تا اطلاع بعدی برای همه متوقف شده است.",
    },
    "not_valid": {
        "en": "It is not valid at this time.",
        "ar": "خارج مدة السريان.",
        "fa": "اکنون در مدت اعتبار آن نیستیم.",
    },
    "wrong_side": {
        "en": "“{topic}” is not for the role: {role}.",
        "ar": "موضوع «{topic}» ليس من اختصاص {role}.",
        "fa": "موضوع «{topic}» در حوزهٔ {role} نیست.",
    },
    "medical_question": {
        "en": "A medical question (“{topic}”) is open; until it is answered, medical colleagues act.",
        "ar": "يوجد سؤال طبي مفتوح («{topic}»)؛ يُترك ذلك للزملاء في القسم الطبي حتى الإجابة عنه.",
        "fa": "پرسشی پزشکی («{topic}») باز است؛ تا پاسخ آن، این کار بر عهدهٔ همکاران پزشکی است.",
    },
    "open_offer": {
        "en": "A quote of {offer:money} is open; this would offer {price:money}.",
        "ar": "يوجد عرض سعر مفتوح بقيمة {offer:money}؛ وهذا يعرض {price:money}.",
        "fa": "پیشنهاد قیمتی به مبلغ {offer:money} باز است؛ این {price:money} پیشنهاد می‌کند.",
    },
    "open_offer_unknown": {
        "en": "A quote in another currency is open; whether {price:money} is below it cannot be said.",
        "ar": "يوجد عرض سعر مفتوح بعملة أخرى؛ لا يمكن الجزم بأن {price:money} ليس أقل منه.",
        "fa": "پیشنهاد قیمتی به ارزی دیگر باز است؛ نمی‌توان گفت {price:money} از آن کمتر است یا نه.",
    },
    "topic_held": {
        "en": "A person deals with “{topic}”; automated messages on it wait ({held_days:days}).",
        "ar": "يتولى أحد الزملاء موضوع «{topic}»؛ تنتظر الرسائل الآلية بشأنه ({held_days:days}).",
        "fa": "یکی از همکاران به «{topic}» رسیدگی می‌کند؛ پیام‌های خودکار در این باره "
              "می‌مانند ({held_days:days}).",
    },
    "equivalent": {
        "en": "A colleague does the same: done, planned or put off (within {days}).",
        "ar": "يتولى زميل آخر الأمر نفسه: منجز أو مقرر أو مؤجل (خلال {days}).",
        "fa": "همکاری دیگر همین کار را می‌کند: انجام‌شده، برنامه‌ریزی‌شده یا به بعد موکول‌شده (در {days}).",
    },
    "quiet_hours": {
        "en": "{channel} may be used only in {wait_days:days}; by then this would be over.",
        "ar": "لا يمكن استخدام {channel} إلا بعد {wait_days:days}؛ وعندئذٍ تكون صلاحية المقترح قد انتهت.",
        "fa": "{channel} تا {wait_days:days} دیگر به کار نمی‌رود؛ تا آن زمان مهلت این پیشنهاد گذشته است.",
    },
    "repeat": {
        "en": "It is repeated only after {repeat_after_days:days}; {days_left:days} left.",
        "ar": "لا يُكرر إلا بعد {repeat_after_days:days}؛ المدة المتبقية: {days_left:days}.",
        "fa": "تنها پس از {repeat_after_days:days} تکرار می‌شود؛ {days_left:days} باقی مانده است.",
    },
    "at_most": {
        "en": "Done or planned {count:number} times; at most {at_most:number} are allowed.",
        "ar": "أُنجز أو تقرر {count:number} مرات؛ الحد الأقصى {at_most:number}.",
        "fa": "{count:number} بار انجام یا برنامه‌ریزی شده است؛ حداکثر {at_most:number} بار مجاز است.",
    },
    # -- objections of arbitration
    "below_no_contact": {
        "en": "Not worth more than no contact: brings {caused:money}, costs {cost:money}, "
              "risk of an opt-out "
              "{fatigue:money}.",
        "ar": "لا تفوق قيمته عدم التواصل: القيمة {caused:money}، التكلفة {cost:money}، "
              "مخاطر الانسحاب {fatigue:money}.",
        "fa": "ارزشی بیش از عدم تماس ندارد: ارزش {caused:money}، هزینه {cost:money}، خطر "
              "انصراف {fatigue:money}.",
    },
    "not_comparable": {
        "en": "Cannot be judged: accounts like this one were hardly ever given it. "
              "It is tried at random only.",
        "ar": "لا يمكن الحكم عليه: نادرًا ما قُدّم لعملاء مشابهين. لا يُجرَّب إلا عشوائيًا.",
        "fa": "قابل داوری نیست: برای مشتریانی مانند این به‌ندرت انجام شده است. "
              "تنها به‌طور تصادفی آزموده می‌شود.",
    },
    "not_proven": {
        "en": "Stopping would save {caused:money}, but that may be chance; it waits for more evidence.",
        "ar": "قد يوفّر الإيقاف {caused:money}، لكن ذلك قد يكون مصادفة؛ البيانات المتاحة لا تكفي للحكم.",
        "fa": "توقف {caused:money} صرفه‌جویی می‌کند، اما شاید اتفاقی باشد؛ داده‌های موجود هنوز کافی نیست.",
    },
    "exploration": {
        "en": "Place 1 was drawn at random today, to learn what works.",
        "ar": "اختير المركز الأول اليوم عشوائيًا لمعرفة ما ينجح.",
        "fa": "جایگاه نخست امروز برای یادگیری به‌طور تصادفی انتخاب شد.",
    },
    "no_room_together": {
        "en": "It does not fit on the list beside “{by:treatment}”: limits count the whole list.",
        "ar": "لا مكان له في القائمة إلى جانب «{by:treatment}»: الحدود تشمل القائمة كلها.",
        "fa": "در فهرست کنار «{by:treatment}» جا نمی‌شود: سقف‌ها برای کل فهرست‌اند.",
    },
    "outranked": {
        "en": "Worth {priority:money}; “{by:treatment}” with {by_priority:money} goes first.",
        "ar": "القيمة {priority:money}؛ الأولوية لـ «{by:treatment}» بقيمة {by_priority:money}.",
        "fa": "ارزش آن {priority:money} است؛ «{by:treatment}» با {by_priority:money} جلوتر است.",
    },
    "below_price": {
        "en": "Worth {priority:money}, but the time or quota it takes is worth {charge:money} elsewhere.",
        "ar": "القيمة {priority:money}، لكن الوقت أو الحصة اللازمة تساوي {charge:money} في موضع آخر.",
        "fa": "ارزش آن {priority:money} است، اما زمان یا سهمیهٔ لازم در جای دیگر {charge:money} می‌ارزد.",
    },
    # -- hand-overs
    # -- what a withdrawn consent ended
    "ended": {
        "en": "{withdrawn:number} withdrawn.",
        "ar": "سُحب {withdrawn:number}.",
        "fa": "{withdrawn:number} مورد لغو شد.",
    },
    "ended_some_sent": {
        "en": "{withdrawn:number} withdrawn, {sent:number} already sent at {at:text}.",
        "ar": "سُحب {withdrawn:number}، وسبق إرسال {sent:number} عند {at:text}.",
        "fa": "{withdrawn:number} مورد لغو شد؛ {sent:number} مورد پیش‌تر در {at:text} فرستاده شده بود.",
    },
    "handed_asked": {
        "en": "{by:text} ({by_role:role}) asks to follow up: {name:text}.",
        "ar": "طلب متابعة من {by:text} ({by_role:role}): {name:text}.",
        "fa": "درخواست پیگیری از {by:text} ({by_role:role}): {name:text}.",
    },
    "handed_qualified": {
        "en": "{name:text} is ready to be contacted: {text}",
        "ar": "{name:text}: جاهزية للتواصل. {text}",
        "fa": "{name:text}: آمادهٔ تماس. {text}",
    },
    "handed_safety": {
        "en": "Side effect reported: {name:text}.",
        "ar": "بلاغ عن أثر جانبي: {name:text}.",
        "fa": "گزارش عارضهٔ جانبی: {name:text}.",
    },
    "handed_returned": {
        "en": "Returned by {to_role:role}: {name:text} ({reason}).",
        "ar": "إعادة من {to_role:role}: {name:text} ({reason}).",
        "fa": "بازگشت از {to_role:role}: {name:text} ({reason}).",
    },
} | EXPLAINING | PLAN  # fmt: skip
"""Code -> language -> template."""

COUNTED: dict[str, dict[str, dict[str, str]]] = {
    "minutes_ago": {
        "en": {"one": "{n} minute ago", "other": "{n} minutes ago"},
        "ar": {"one": "قبل دقيقة", "two": "قبل دقيقتين", "few": "قبل {n} دقائق", "other": "قبل {n} دقيقة"},
        "fa": {"other": "{n} دقیقه پیش"},
    },
    "hours_ago": {
        "en": {"one": "{n} hour ago", "other": "{n} hours ago"},
        "ar": {"one": "قبل ساعة", "two": "قبل ساعتين", "few": "قبل {n} ساعات", "other": "قبل {n} ساعة"},
        "fa": {"other": "{n} ساعت پیش"},
    },
    "days_ago": {
        "en": {"one": "{n} day ago", "other": "{n} days ago"},
        "ar": {"one": "قبل يوم", "two": "قبل يومين", "few": "قبل {n} أيام", "many": "قبل {n} يومًا",
               "other": "قبل {n} يوم"},
        "fa": {"other": "{n} روز پیش"},
    },
    "days": {
        "en": {"one": "{n} day", "other": "{n} days"},
        "ar": {"one": "يوم واحد", "two": "يومين", "few": "{n} أيام", "many": "{n} يومًا",
               "other": "{n} يوم"},
        "fa": {"other": "{n} روز"},
    },
    "times": {
        "en": {"one": "{n} time", "other": "{n} times"},
        "ar": {"zero": "ولا مرة", "one": "مرة واحدة", "two": "مرتان", "few": "{n} مرات", "other": "{n} مرة"},
        "fa": {"other": "{n} بار"},
    },
    "contacts": {
        "en": {"one": "{n} contact", "other": "{n} contacts"},
        "ar": {"one": "تواصل واحد", "two": "تواصلان", "few": "{n} مرات تواصل", "other": "{n} مرة تواصل"},
        "fa": {"other": "{n} تماس"},
    },
    "cases": {
        "en": {"one": "from {n} case", "other": "from {n} cases"},
        "ar": {"zero": "بلا حالات سابقة", "one": "من حالة سابقة واحدة", "two": "من حالتين سابقتين",
               "few": "من {n} حالات سابقة", "other": "من {n} حالة سابقة"},
        "fa": {"other": "بر پایهٔ {n} مورد"},
    },
}  # fmt: skip
"""Phrases that depend on a number: phrase -> language -> plural category -> text with {n}."""

WORDS: dict[str, dict[str, str]] = {
    "column_territory": {"en": "territory", "ar": "المنطقة", "fa": "منطقه"},
    "column_segment": {"en": "segment", "ar": "الشريحة", "fa": "بخش"},
    "column_size": {"en": "size", "ar": "الحجم", "fa": "اندازه"},
    "column_industry": {"en": "industry or speciality", "ar": "التخصص أو القطاع", "fa": "تخصص یا صنعت"},
    "column_country": {"en": "country", "ar": "البلد", "fa": "کشور"},
    "column_language": {"en": "language", "ar": "اللغة", "fa": "زبان"},
    "column_potential_value": {
        "en": "potential a year",
        "ar": "القيمة السنوية الممكنة",
        "fa": "ارزش بالقوهٔ سالانه",
    },
    "column_timezone": {"en": "time zone", "ar": "المنطقة الزمنية", "fa": "منطقهٔ زمانی"},
    "column_latitude": {"en": "latitude", "ar": "خط العرض", "fa": "عرض جغرافیایی"},
    "column_longitude": {"en": "longitude", "ar": "خط الطول", "fa": "طول جغرافیایی"},
    "column_automated": {"en": "served automatically", "ar": "خدمة آلية", "fa": "خدمت‌رسانی خودکار"},
    "just_now": {"en": "just now", "ar": "للتوّ", "fa": "همین حالا"},
    "this_morning": {"en": "this morning", "ar": "صباح اليوم", "fa": "امروز صبح"},
    "then": {"en": ", then ", "ar": "، ثم ", "fa": " و سپس "},
    "alone": {"en": "alone", "ar": "فقط", "fa": "به‌تنهایی"},
    "yesterday": {"en": "yesterday", "ar": "أمس", "fa": "دیروز"},
    "never": {"en": "never", "ar": "لم يحدث", "fa": "هرگز"},
    "against": {"en": "Against it: ", "ar": "ما يخفض الأولوية: ", "fa": "آنچه اولویت را کم می‌کند: "},
    "yes": {"en": "yes", "ar": "نعم", "fa": "بله"},
    "no": {"en": "no", "ar": "لا", "fa": "خیر"},
    "unknown": {"en": "not known", "ar": "غير معروف", "fa": "نامعلوم"},
    "channel_*": {"en": "all channels", "ar": "كل القنوات", "fa": "همهٔ کانال‌ها"},
    "channel_": {"en": "another channel", "ar": "قناة أخرى", "fa": "کانالی دیگر"},
    "marketing": {"en": "marketing messages", "ar": "الرسائل التسويقية", "fa": "پیام‌های تبلیغاتی"},
    "service": {"en": "service messages", "ar": "رسائل الخدمة", "fa": "پیام‌های خدماتی"},
    "contacts": {"en": "contact", "ar": "تواصل", "fa": "تماس"},
    "impressions": {"en": "view", "ar": "مشاهدة", "fa": "مشاهده"},
    "clicks": {"en": "click", "ar": "نقرة", "fa": "کلیک"},
    "replies": {"en": "reply", "ar": "رد مكتوب", "fa": "پاسخ"},
    "attendances": {"en": "attendance", "ar": "حضور", "fa": "حضور"},
    "acceptances": {"en": "acceptance", "ar": "قبول", "fa": "پذیرش"},
    "rejections": {"en": "rejection", "ar": "رفض", "fa": "رد"},
    "dismissals": {"en": "dismissal", "ar": "استبعاد", "fa": "کنارگذاشتن"},
    "opt_outs": {"en": "opt-out", "ar": "انسحاب", "fa": "انصراف"},
    "not_qualified": {"en": "not qualified", "ar": "غير مؤهل", "fa": "واجد شرایط نیست"},
    "not_mine": {"en": "not for this role", "ar": "ليس من اختصاص هذا الدور", "fa": "در حوزهٔ این نقش نیست"},
    "no_time": {"en": "no time", "ar": "لا يتوفر وقت", "fa": "وقت نیست"},
    "missing_information": {"en": "information is missing", "ar": "معلومات ناقصة", "fa": "اطلاعات کافی نیست"},
    "done_already": {"en": "already done", "ar": "تم سابقًا", "fa": "پیش‌تر انجام شده"},
    "customer_declined": {"en": "the customer declined", "ar": "رفض من العميل", "fa": "مشتری نپذیرفت"},
    "other": {"en": "another reason", "ar": "سبب آخر", "fa": "دلیل دیگر"},
    "none": {"en": "no contact", "ar": "عدم التواصل", "fa": "عدم تماس"},
    "EUR": {"en": "EUR", "ar": "يورو", "fa": "یورو"},
    "USD": {"en": "USD", "ar": "دولار", "fa": "دلار"},
} | {f"rule_{kind}": names for kind, names in RULE_NAMES.items()}
"""Fixed words; "channel_*" and "channel_" are names for what has no channel of its own."""
