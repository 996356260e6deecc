"""A small playbook with every section, and a way to change one thing in it."""

TEXT = """
id = "example"
currency = "EUR"
languages = ["en", "fa"]
outcomes = { order = 2 }
attributes = { segment = ["B", "A"], city = "text", potential_value = "number", automated = "flag" }

[channels.visit]
name = { en = "Visit", fa = "ویزیت" }
cost = 90
minutes = 30

[channels.email]
name = { en = "E-mail", fa = "ایمیل" }
cost = 1
automated = true

[roles.liaison]
name = { en = "Liaison", fa = "رابط" }
side = "medical"
sees = ["manager"]

[roles.manager]
name = { en = "Manager", fa = "مدیر" }
side = "commercial"
sees = ["system"]
followed = 0.01

[roles.system]
name = { en = "System", fa = "سیستم" }
side = "both"
sees = []
system = true

[topics.dosing]
name = { en = "Dosing", fa = "دوز" }

[issues.information]
groups = ["talks", "mails"]
horizon_days = 90

[issues.preferences]
groups = ["stop"]

[treatments.visit_dosing]
channel = "visit"
role = "manager"
issue = "information"
group = "talks"
action = "explain_dosing"
topic = "dosing"
value = 500
starting_uplift = 0.2
approved_until = 2027-12-31
text = { en = "Visit {name}.", fa = "ویزیت {name}." }

[treatments.email_dosing]
channel = "email"
role = "system"
issue = "information"
group = "mails"
action = "explain_dosing"
topic = "dosing"
value = 500
starting_uplift = 0.02
cost = 3
text = { en = "E-mail {name} {when}.", fa = "ایمیل به {name}." }

[treatments.stop_email]
kind = "stop"
channel = "email"
role = "manager"
issue = "preferences"
group = "stop"
action = "stop_email"
stops = ["email:marketing"]
value = 10
text = { en = "Stop.", fa = "توقف." }

[policies.rested]
stage = "suitability"
applies = "channel = 'visit'"
when = "coalesce(days_since_visit, 999) > 7"
text = { en = "Visited lately.", fa = "به‌تازگی ویزیت شده." }

[contact_limits.visits]
channel = "visit"
count = 2
days = 30

[suppressions.rejected]
track = "rejections"
scope = "topic"
count = 1
window_days = 30
suppress_days = 30

[context_weights.asked]
when = "days_since_inbound_same_topic < 1"
weight = 2

[columns]
city.name = { en = "town", fa = "شهر" }
"""


def changed(old, new):
    assert TEXT.count(old) >= 1, old
    return TEXT.replace(old, new, 1)
