"""The sentences of what explains a suggestion beyond its rules: facts of the account, changes, rules passed.

Read through `engine.sentences`, which says what a template is. Arabic and Persian are drafts: the final
wording needs a native speaker's sign-off.
"""

from __future__ import annotations

EXPLAINING: dict[str, dict[str, str]] = {
    # -- what the account did, as the beginning of a suggestion's text
    "trigger_read_topic": {
        "en": "{name:text} looked up “{topic}” {when:text} ({channel}).",
        "ar": "سُجّل {when:text} اطّلاع من حساب {name:text} على «{topic}» ({channel}).",
        "fa": "{name:text} {when:text} «{topic}» را دیدند ({channel}).",
    },
    "trigger_asked_topic": {
        "en": "{name:text} turned to us about “{topic}” {when:text} ({channel}).",
        "ar": "ورد {when:text} تواصل من {name:text} بشأن «{topic}» ({channel}).",
        "fa": "{name:text} {when:text} دربارهٔ «{topic}» با ما تماس گرفتند ({channel}).",
    },
    "trigger_topic_of_interest": {
        "en": "{name:text} showed interest in “{topic}” {when:text}.",
        "ar": "سُجّل {when:text} اهتمام من {name:text} بموضوع «{topic}».",
        "fa": "{name:text} {when:text} به «{topic}» توجه نشان دادند.",
    },
    # -- what the account's own facts add
    "topic_interest": {
        "en": "Interest in “{topic}” in the last {days}: {count:times}; the last: {at:last}.",
        "ar": "الاهتمام بموضوع «{topic}» خلال آخر {days}: {count:times}؛ آخرها: {at:last}.",
        "fa": "توجه به «{topic}» در {days} گذشته: {count:times}؛ آخرین بار: {at:last}.",
    },
    "channel_interest": {
        "en": "Turned to us in the last {days} ({channel}): {count:times}; the last: {at:last}.",
        "ar": "تواصل من العميل خلال آخر {days} ({channel}): {count:times}؛ آخرها: {at:last}.",
        "fa": "مراجعه به ما در {days} گذشته ({channel}): {count:times}؛ آخرین بار: {at:last}.",
    },
    "activity": {
        "en": "Turned to us in the last {days}, all channels: {count:times}; the last: {at:last}.",
        "ar": "تواصل من العميل خلال آخر {days} عبر كل القنوات: {count:times}؛ آخرها: {at:last}.",
        "fa": "مراجعه به ما در {days} گذشته از همهٔ کانال‌ها: {count:times}؛ آخرین بار: {at:last}.",
    },
    "contacts": {
        "en": "Our contacts in the last {days}, all channels: {count:number}; the last: {at:last}.",
        "ar": "تواصلنا خلال آخر {days} عبر كل القنوات: {count:times}؛ آخرها: {at:last}.",
        "fa": "تماس‌های ما در {days} گذشته از همهٔ کانال‌ها: {count:number}؛ آخرین بار: {at:last}.",
    },
    "topic_contacts": {
        "en": "Our contacts about “{topic}” in the last {days}: {count:number}; the last: {at:last}.",
        "ar": "تواصلنا بشأن «{topic}» خلال آخر {days}: {count:times}؛ آخرها: {at:last}.",
        "fa": "تماس‌های ما دربارهٔ «{topic}» در {days} گذشته: {count:number}؛ آخرین بار: {at:last}.",
    },
    "repetition": {
        "en": "This very message in the last {days}: {count:times}; the last: {at:last}.",
        "ar": "هذه الرسالة نفسها خلال آخر {days}: {count:times}؛ آخرها: {at:last}.",
        "fa": "همین پیام در {days} گذشته: {count:times}؛ آخرین بار: {at:last}.",
    },
    "responses": {
        "en": "Positive response to {responses:number} of {contacts} (all channels) in the last {days}.",
        "ar": "استجابات إيجابية: {responses:number} من {contacts:number} (كل القنوات) خلال آخر {days}.",
        "fa": "پاسخ مثبت به {responses:number} مورد از {contacts} (همهٔ کانال‌ها) در {days} گذشته.",
    },
    "topic_responses": {
        "en": "Positive response to {responses:number} of {contacts} about “{topic}” in the last {days}.",
        "ar": "استجابات إيجابية بشأن «{topic}»: {responses:number} من {contacts:number} خلال آخر {days}.",
        "fa": "پاسخ مثبت به {responses:number} مورد از {contacts} دربارهٔ «{topic}» در {days} گذشته.",
    },
    "message_responses": {
        "en": "Positive response to this very message {responses:number} of {contacts:times} "
              "in the last {days}.",
        "ar": "استجابات إيجابية لهذه الرسالة نفسها: {responses:number} من {contacts:number} خلال آخر {days}.",
        "fa": "پاسخ مثبت به همین پیام: {responses:number} از {contacts:times} در {days} گذشته.",
    },
    "purchases": {
        "en": "Outcomes in the last {days}: {count:number}, worth {value:money}; the last: {at:last}.",
        "ar": "النتائج خلال آخر {days}: {count:number} بقيمة {value:money}؛ آخرها: {at:last}.",
        "fa": "نتایج در {days} گذشته: {count:number} به ارزش {value:money}؛ آخرین بار: {at:last}.",
    },
    "optouts": {
        "en": "Opt-outs in the last {days}: {count:number}.",
        "ar": "عمليات الانسحاب خلال آخر {days}: {count:number}.",
        "fa": "انصراف‌ها در {days} گذشته: {count:number}.",
    },
    "profile": {
        "en": "About the account: {attribute:column} = {value:any}.",
        "ar": "عن العميل: {attribute:column} = {value:any}.",
        "fa": "دربارهٔ مشتری: {attribute:column} = {value:any}.",
    },
    "other_facts": {
        "en": "Other facts of this account, together: {amount:money}.",
        "ar": "بقية بيانات هذا العميل مجتمعةً: {amount:money}.",
        "fa": "دیگر داده‌های این مشتری، روی هم: {amount:money}.",
    },
    "expected_value_here": {
        "en": "Expected to bring {caused:money} more than no contact, {general:money} of it by "
              "the contact itself; cost {cost:money}, risk of an opt-out {fatigue:money} ({evidence:cases}).",
        "ar": "القيمة المتوقعة مقارنةً بعدم التواصل: {caused:money}، منها {general:money} بفضل التواصل نفسه؛ "
              "التكلفة: {cost:money}، مخاطر الانسحاب: {fatigue:money} ({evidence:cases}).",
        "fa": "ارزش مورد انتظار نسبت به عدم تماس: {caused:money}، از آن {general:money} سهم خود تماس؛ "
              "هزینه: {cost:money}؛ خطر انصراف: {fatigue:money} ({evidence:cases}).",
    },
    "inherited_value": {
        "en": "Expected to bring {caused:money} more than no contact, {general:money} of it by "
              "the contact itself; cost {cost:money}, risk of an opt-out {fatigue:money} "
              "(judged by similar messages: too few cases of its own yet).",
        "ar": "القيمة المتوقعة مقارنةً بعدم التواصل: {caused:money}، منها {general:money} بفضل التواصل نفسه؛ "
              "التكلفة: {cost:money}، مخاطر الانسحاب: {fatigue:money} "
              "(قياسًا على رسائل مشابهة، لأن بيانات هذه الرسالة لا تكفي بعد).",
        "fa": "ارزش مورد انتظار نسبت به عدم تماس: {caused:money}، از آن {general:money} سهم خود تماس؛ "
              "هزینه: {cost:money}؛ خطر انصراف: {fatigue:money} "
              "(بر پایهٔ پیام‌های مشابه، چون دادهٔ خود این پیام هنوز کافی نیست).",
    },
    "similar_responded": {
        "en": "{responded:number} of {contacted:number} similar accounts responded to this message "
              "({channel}) within {days}; counted {at:ago}.",
        "ar": "استجاب {responded:number} من {contacted:number} من العملاء المشابهين لهذه الرسالة "
              "({channel}) خلال {days}؛ أُحصي {at:ago}.",
        "fa": "{responded:number} از {contacted:number} مشتری مشابه به این پیام پاسخ مثبت دادند "
              "({channel})، در {days}؛ شمارش: {at:ago}.",
    },
    "similar_responded_channel": {
        "en": "{responded:number} of {contacted:number} similar accounts responded ({channel}) "
              "within {days}; counted {at:ago}.",
        "ar": "استجاب {responded:number} من {contacted:number} من العملاء المشابهين ({channel}) "
              "خلال {days}؛ أُحصي {at:ago}.",
        "fa": "{responded:number} از {contacted:number} مشتری مشابه پاسخ مثبت دادند ({channel})، "
              "در {days}؛ شمارش: {at:ago}.",
    },
    "held_at_zero": {
        "en": "Similar accounts hardly ever got it: these {amount:money} cannot be judged and do not count.",
        "ar": "نادرًا ما جُرّب مع عملاء مشابهين، فلا يمكن الحكم على هذه القيمة ({amount:money}) ولا تُحتسب.",
        "fa": "برای مشتریان مشابه به‌ندرت آزموده شده؛ این {amount:money} قابل داوری نیست و به حساب نمی‌آید.",
    },
    "unproven_at_zero": {
        "en": "That it saves {amount:money} may be chance, so it does not count.",
        "ar": "قد تكون هذه القيمة ({amount:money}) مصادفة، فلا تُحتسب.",
        "fa": "این {amount:money} شاید اتفاقی باشد و به حساب نمی‌آید.",
    },
    # -- what would change it
    "change_days": {
        "en": "In {days}, with nothing new known, this goes first: {first:treatment}.",
        "ar": "بعد {days} ودون أي جديد تصبح الأولوية لـ «{first:treatment}».",
        "fa": "پس از {days}، بی هیچ خبر تازه‌ای، این اول می‌شود: {first:treatment}.",
    },
    "change_interest": {
        "en": "Interest in “{topic}” now ({channel}) would put this first: {first:treatment}.",
        "ar": "اهتمام بموضوع «{topic}» الآن ({channel}) يجعل الأولوية لـ «{first:treatment}».",
        "fa": "توجه به «{topic}» در این لحظه ({channel}) این را اول می‌کند: {first:treatment}.",
    },
    "change_response": {
        "en": "A positive response to the last contact ({channel}) would put this first: {first:treatment}.",
        "ar": "استجابة إيجابية لآخر تواصل ({channel}) تجعل الأولوية لـ «{first:treatment}».",
        "fa": "پاسخ مثبت به آخرین تماس ({channel}) این را اول می‌کند: {first:treatment}.",
    },
    "change_permission": {
        "en": "A permission for {purpose} ({channel}) would put this first: {first:treatment}.",
        "ar": "موافقة على {purpose} ({channel}) تجعل الأولوية لـ «{first:treatment}».",
        "fa": "رضایت برای {purpose} ({channel}) این را اول می‌کند: {first:treatment}.",
    },
    "change_optout": {
        "en": "An opt-out of {purpose} ({channel}) would put this first: {first:treatment}.",
        "ar": "الانسحاب من {purpose} ({channel}) يجعل الأولوية لـ «{first:treatment}».",
        "fa": "انصراف از {purpose} ({channel}) این را اول می‌کند: {first:treatment}.",
    },
    "change_limit": {
        "en": "One contact fewer than {count:number} within {days} ({channel}) would put this first: "
              "{first:treatment}.",
        "ar": "تواصل أقل بواحد من {count:number} خلال {days} ({channel}) يجعل الأولوية لـ "
              "«{first:treatment}».",
        "fa": "یک تماس کمتر از {count:number} در {days} ({channel}) این را اول می‌کند: {first:treatment}.",
    },
    "change_approval": {
        "en": "A renewed approval of the text ({approval:id}) would put this first: {first:treatment}.",
        "ar": "تجديد الموافقة على النص ({approval:id}) يجعل الأولوية لـ «{first:treatment}».",
        "fa": "تمدید تأیید متن ({approval:id}) این را اول می‌کند: {first:treatment}.",
    },
    "change_executor": {
        "en": "Somebody in the role {role} would put this first: {first:treatment}.",
        "ar": "وجود {role} لهذا العميل يجعل الأولوية لـ «{first:treatment}».",
        "fa": "تعیین {role} برای این مشتری این را اول می‌کند: {first:treatment}.",
    },
    "change_attribute": {
        "en": "{attribute:column} = {value:any} instead of {now:any} would put this first: "
        "{first:treatment}.",
        "ar": "{attribute:column} = {value:any} بدلًا من {now:any} يجعل الأولوية لـ «{first:treatment}».",
        "fa": "{attribute:column} = {value:any} به جای {now:any} این را اول می‌کند: {first:treatment}.",
    },
    "change_value": {
        "en": "{amount:money} more expected of it would put this first: {first:treatment}.",
        "ar": "زيادة متوقعة قدرها {amount:money} تجعل الأولوية لـ «{first:treatment}».",
        "fa": "{amount:money} ارزش مورد انتظار بیشتر این را اول می‌کند: {first:treatment}.",
    },
    "nothing_in_reach": {
        "en": "Nothing within reach changes it: {tried:number} single changes were tried, time up to {days} "
              "ahead among them.",
        "ar": "لا شيء في المتناول يغيّر ذلك: جُرّب {tried:number} من التغييرات المنفردة، منها مرور الوقت "
              "حتى {days}.",
        "fa": "هیچ تغییر در دسترسی آن را عوض نمی‌کند: {tried:number} تغییر تکی آزموده شد، از جمله گذشت زمان "
              "تا {days}.",
    },
    # -- why not, in order
    "why_not": {
        "en": "Not suggested: {text}",
        "ar": "غير مقترح: {text}",
        "fa": "پیشنهاد نمی‌شود: {text}",
    },
    "rule_passed": {
        "en": "Satisfied: {rule:rule}.",
        "ar": "مستوفى: {rule:rule}.",
        "fa": "برقرار است: {rule:rule}.",
    },
}  # fmt: skip
"""Code -> language -> template."""

RULE_NAMES: dict[str, dict[str, str]] = {
    "policy": {"en": "policy", "ar": "سياسة", "fa": "خط‌مشی"},
    "approval_expired": {"en": "approval of the text", "ar": "الموافقة على النص", "fa": "تأیید متن"},
    "no_executor": {"en": "somebody has the role", "ar": "توفر من يؤدي الدور", "fa": "وجود مسئول"},
    "channel_not_outbound": {"en": "channel for contacts", "ar": "قناة للتواصل", "fa": "کانال تماس"},
    "account_closed": {"en": "account open", "ar": "الحساب مفتوح", "fa": "باز بودن حساب"},
    "held_back": {"en": "suggestions made", "ar": "تقديم الاقتراحات", "fa": "ارائهٔ پیشنهاد"},
    "no_timezone": {"en": "time zone", "ar": "المنطقة الزمنية", "fa": "منطقهٔ زمانی"},
    "consent": {"en": "permission", "ar": "الموافقة", "fa": "رضایت"},
    "nothing_to_stop": {"en": "something to stop", "ar": "وجود ما يُوقف", "fa": "چیزی برای توقف"},
    "resting": {"en": "no rest", "ar": "لا توجد فترة راحة", "fa": "دورهٔ استراحت نیست"},
    "snoozed": {"en": "not put off", "ar": "غير مؤجل", "fa": "به بعد موکول نشده"},
    "placed": {"en": "a place on the list", "ar": "مكان في القائمة", "fa": "جایی در فهرست"},
    "limit": {"en": "contact limit", "ar": "حد التواصل", "fa": "سقف تماس"},
    "suppression": {"en": "no pause", "ar": "لا توقف مؤقت", "fa": "بدون توقف موقت"},
    "not_valid": {"en": "time of validity", "ar": "مدة الصلاحية", "fa": "مدت اعتبار"},
    "wrong_side": {"en": "medical and commercial apart", "ar": "فصل الطبي عن التجاري",
                   "fa": "جدایی بخش پزشکی و تجاری"},
    "medical_question": {"en": "no medical question open", "ar": "لا سؤال طبي مفتوح",
                         "fa": "بدون پرسش پزشکی باز"},
    "open_offer": {"en": "not below an open offer", "ar": "ليس دون عرض قائم", "fa": "نه کمتر از پیشنهاد باز"},
    "topic_held": {"en": "topic free", "ar": "الموضوع متاح", "fa": "آزاد بودن موضوع"},
    "equivalent": {"en": "not done by a colleague", "ar": "لم يقم به زميل", "fa": "همکاری انجام نداده"},
    "quiet_hours": {"en": "quiet hours and days off", "ar": "ساعات الهدوء وأيام العطل",
                    "fa": "ساعت‌های سکوت و روزهای تعطیل"},
    "stopped": {"en": "no emergency stop", "ar": "لا إيقاف طارئ", "fa": "بدون توقف اضطراری"},
    "repeat": {"en": "long enough ago", "ar": "مضت مدة كافية", "fa": "گذشت زمان کافی"},
    "at_most": {"en": "not too often", "ar": "دون تكرار زائد", "fa": "نه بیش از اندازه"},
    "stage": {"en": "stage of the journey", "ar": "مرحلة الرحلة", "fa": "مرحلهٔ مسیر"},
    "content": {"en": "content fits the stage", "ar": "ملاءمة المحتوى للمرحلة", "fa": "تناسب محتوا با مرحله"},
    "owner": {"en": "owner of the stage", "ar": "مسؤول المرحلة", "fa": "مسئول مرحله"},
}  # fmt: skip
"""Kind of rule (and "placed") -> language -> what people call it when it is satisfied."""
