"""The sentences of reasons and objections in English, Arabic and Persian: text only.

A sentence is a template; {value:format} says how a value of the reason is put into words, {days} is short for
{days:days}; `engine.wording` has the formats. One place to add: a sentence here for the code of a new kind of
reason or rule. Arabic and Persian are drafts: the final wording needs a native speaker's sign-off. They use
verbal nouns and passive forms, since the gender of reader and customer is not known here.
"""

from __future__ import annotations

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
        "en": "About the account: {attribute:id} = {value:any}.",
        "ar": "عن العميل: {attribute:id} = {value:any}.",
        "fa": "دربارهٔ مشتری: {attribute:id} = {value:any}.",
    },
    "other_facts": {
        "en": "Other facts of this account, together: {amount:money}.",
        "ar": "بقية بيانات هذا العميل مجتمعةً: {amount:money}.",
        "fa": "دیگر داده‌های این مشتری، روی هم: {amount:money}.",
    },
    "expected_value_here": {
        "en": "Expected to bring {caused:money} more than no contact, {general:money} of it "
              "with any account; cost {cost:money}, risk of an opt-out {fatigue:money} ({evidence:cases}).",
        "ar": "القيمة المتوقعة مقارنةً بعدم التواصل: {caused:money}، منها {general:money} مع أي عميل؛ "
              "التكلفة: {cost:money}، مخاطر الانسحاب: {fatigue:money} ({evidence:cases}).",
        "fa": "ارزش مورد انتظار نسبت به عدم تماس: {caused:money}، از آن {general:money} برای هر مشتری؛ "
              "هزینه: {cost:money}؛ خطر انصراف: {fatigue:money} ({evidence:cases}).",
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
        "en": "{attribute:id} = {value:any} instead of {now:any} would put this first: {first:treatment}.",
        "ar": "{attribute:id} = {value:any} بدلًا من {now:any} يجعل الأولوية لـ «{first:treatment}».",
        "fa": "{attribute:id} = {value:any} به جای {now:any} این را اول می‌کند: {first:treatment}.",
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
        "en": "A colleague has put it off or dismissed it, and the pause still lasts.",
        "ar": "سبق تأجيل هذا المقترح أو استبعاده، ولم تنتهِ المهلة بعد.",
        "fa": "این پیشنهاد به بعد موکول یا رد شده و مهلت آن هنوز تمام نشده است.",
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
    # -- hand-overs
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
}  # fmt: skip
"""Code -> language -> template."""

HAND_OVER_CODES: tuple[str, ...] = ("handed_asked", "handed_qualified", "handed_safety", "handed_returned")

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
    "just_now": {"en": "just now", "ar": "للتوّ", "fa": "همین حالا"},
    "this_morning": {"en": "this morning", "ar": "صباح اليوم", "fa": "امروز صبح"},
    "yesterday": {"en": "yesterday", "ar": "أمس", "fa": "دیروز"},
    "rule_approval_expired": {"en": "approval of the text", "ar": "الموافقة على النص", "fa": "تأیید متن"},
    "rule_no_executor": {"en": "somebody has the role", "ar": "توفر من يؤدي الدور", "fa": "وجود مسئول"},
    "rule_channel_not_outbound": {"en": "channel for contacts", "ar": "قناة للتواصل", "fa": "کانال تماس"},
    "rule_account_closed": {"en": "account open", "ar": "الحساب مفتوح", "fa": "باز بودن حساب"},
    "rule_no_timezone": {"en": "time zone", "ar": "المنطقة الزمنية", "fa": "منطقهٔ زمانی"},
    "rule_consent": {"en": "permission", "ar": "الموافقة", "fa": "رضایت"},
    "rule_nothing_to_stop": {"en": "something to stop", "ar": "وجود ما يُوقف", "fa": "چیزی برای توقف"},
    "rule_snoozed": {"en": "not put off", "ar": "غير مؤجل", "fa": "به بعد موکول نشده"},
    "rule_placed": {"en": "a place on the list", "ar": "مكان في القائمة", "fa": "جایی در فهرست"},
    "rule_limit": {"en": "contact limit", "ar": "حد التواصل", "fa": "سقف تماس"},
    "rule_suppression": {"en": "no pause", "ar": "لا توقف مؤقت", "fa": "بدون توقف موقت"},
    "never": {"en": "never", "ar": "لم يحدث", "fa": "هرگز"},
    "against": {"en": "Against it: ", "ar": "ما يخفض الأولوية: ", "fa": "آنچه اولویت را کم می‌کند: "},
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
}
"""Fixed words; "channel_*" and "channel_" are names for what has no channel of its own."""
