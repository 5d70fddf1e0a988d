//! What the feed can be told, and what a topic may be called.

use std::time::Duration;

use cpq_domain::{Code, Error, Result};

use super::limits::{SILENCE, TOPICS};

/// Settings of the feed. [`Settings::default`] gives the usual ones.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Host and port of the Pub/Sub API: `api.pubsub.salesforce.com:7443`, in the EU `api.deu.pubsub.salesforce.com:7443`.
    /// With `http://` before it, which is for loopback only, no TLS is spoken.
    pub endpoint: String,
    /// Topics with change events: `/data/ChangeEvents`, `/data/OpportunityChangeEvent`, `/data/Sales__chn`.
    pub topics: Vec<String>,
    /// Platform events that name an opportunity.
    pub events: Vec<PlatformEvent>,
    /// Silence after which a stream counts as dead. Salesforce gives a sign of life within 270 s.
    pub silence: Duration,
}

/// A platform event that says of an opportunity that it should be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformEvent {
    /// Its topic, e.g. `/event/CPQ_Sync__e`.
    pub topic: String,
    /// The field with the opportunity's id or business number, e.g. `Opportunity__c`.
    pub field: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            endpoint: "api.pubsub.salesforce.com:7443".to_owned(),
            topics: vec!["/data/ChangeEvents".to_owned()],
            events: Vec::new(),
            silence: SILENCE,
        }
    }
}

/// A topic that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) name: String,
    /// The field that names the opportunity, of a platform event.
    pub(super) field: Option<String>,
}

impl Settings {
    /// The topics, checked: Salesforce answers a name that is none as if it were down.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`].
    pub(super) fn checked(&self) -> Result<Vec<Topic>> {
        let changes = self.topics.iter().map(|name| Topic {
            name: name.clone(),
            field: None,
        });
        let events = self.events.iter().map(|event| Topic {
            name: event.topic.clone(),
            field: Some(event.field.clone()),
        });
        let topics: Vec<Topic> = changes.chain(events).collect();
        let refuse = |message: String| Err(Error::new(Code::ConfigInvalid, message));
        if topics.is_empty() || topics.len() > TOPICS {
            return refuse(format!(
                "{} topics are configured, and there must be 1 to {TOPICS}",
                topics.len()
            ));
        }
        for (at, topic) in topics.iter().enumerate() {
            if let Some(why) = why_not(topic) {
                return refuse(format!("the topic {:.120?} {why}", topic.name));
            }
            if topics[..at].iter().any(|other| other.name == topic.name) {
                return refuse(format!("the topic {} is configured twice", topic.name));
            }
        }
        if self.silence.is_zero() {
            return refuse("a stream would count as dead at once: the silence allowed is 0 s".to_owned());
        }
        Ok(topics)
    }
}

fn why_not(topic: &Topic) -> Option<String> {
    let named = |name: &str, ends: &[&str]| {
        let letters = name.len() <= 120 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        letters
            && ends
                .iter()
                .any(|end| name.len() > end.len() && name.ends_with(end))
    };
    match (&topic.field, topic.name.strip_prefix("/data/"), topic.name.strip_prefix("/event/")) {
        (None, Some("ChangeEvents"), _) => None,
        (None, Some(name), _) if named(name, &["ChangeEvent", "__chn"]) => None,
        (None, None, Some(_)) => Some("is one of platform events: say which field names the opportunity".to_owned()),
        (None, ..) => Some(
            "is none of change events, such as /data/ChangeEvents, /data/OpportunityChangeEvent or /data/Sales__chn"
                .to_owned(),
        ),
        (Some(field), _, Some(name)) if named(name, &["__e", "__chn"]) => {
            let good = !field.is_empty() && field.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            (!good).then(|| format!("has {field:.80?} for the field that names the opportunity, which is no field"))
        }
        (Some(_), ..) => Some("is none of platform events, such as /event/CPQ_Sync__e".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(topics: &[&str], events: &[(&str, &str)]) -> Result<Vec<Topic>> {
        let event = |(topic, field): &(&str, &str)| PlatformEvent {
            topic: (*topic).to_owned(),
            field: (*field).to_owned(),
        };
        Settings {
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            events: events.iter().map(event).collect(),
            ..Settings::default()
        }
        .checked()
    }

    #[test]
    fn topics_are_told_from_what_is_none() {
        assert_eq!(
            Settings::default()
                .checked()
                .expect("the usual ones are good")
                .len(),
            1
        );
        let good = [
            "/data/OpportunityChangeEvent",
            "/data/Offer__ChangeEvent",
            "/data/Sales__chn",
        ];
        checked(&good, &[("/event/CPQ_Sync__e", "Key__c")]).expect("they are good");
        for bad in [
            "",
            "data/ChangeEvents",
            "/data/",
            "/data/ChangeEvent",
            "/topic/Push",
            "/data/Opportunity",
            "/event/X__e",
            "/data/Opp ChangeEvent",
            "/data/../ChangeEvent",
            "/data/changeEvents",
        ] {
            assert_eq!(
                checked(&[bad], &[]).expect_err(bad).code,
                Code::ConfigInvalid,
                "{bad}"
            );
        }
        for (topic, field) in [
            ("/data/ChangeEvents", "X"),
            ("/event/X", "X"),
            ("/event/X__e", ""),
            ("/event/X__e", "a b"),
        ] {
            assert_eq!(
                checked(&[], &[(topic, field)]).expect_err(topic).code,
                Code::ConfigInvalid
            );
        }
        checked(&[], &[]).expect_err("nothing to read");
        checked(&["/data/ChangeEvents", "/data/ChangeEvents"], &[]).expect_err("twice");
    }
}
