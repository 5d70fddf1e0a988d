//! Where the reader stands in each topic, and how that is written into the one mark of the feed.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cpq_domain::change::Position;
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::limits::MARGIN;

/// A place in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The replay id, opaque; none until Salesforce has told one.
    pub(super) replay: Option<Vec<u8>>,
    /// Everything before this moment was seen.
    pub(super) seen: Timestamp,
}

impl Place {
    /// Moves on. What was seen stays seen.
    pub(super) fn advance(&mut self, replay: &[u8], seen: Option<Timestamp>) {
        if !replay.is_empty() {
            self.replay = Some(replay.to_vec());
        }
        self.seen = seen.unwrap_or(self.seen).max(self.seen);
    }
}

/// The mark as it is stored.
#[derive(Serialize, Deserialize)]
struct Mark {
    topics: BTreeMap<String, Stored>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replay: Option<String>,
    seen: Timestamp,
}

/// The position behind these places.
pub(super) fn position<'a>(places: impl Iterator<Item = (&'a str, &'a Place)>) -> Result<Position> {
    let mut topics = BTreeMap::new();
    let mut seen_until = Timestamp::MAX;
    for (topic, place) in places {
        seen_until = seen_until.min(place.seen);
        let replay = place.replay.as_ref().map(|id| STANDARD.encode(id));
        topics.insert(
            topic.to_owned(),
            Stored {
                replay,
                seen: place.seen,
            },
        );
    }
    let mark = serde_json::to_vec(&Mark { topics })
        .map_err(|cause| Error::new(Code::Internal, "a position cannot be written").cause(cause))?;
    Ok(Position { mark, seen_until })
}

/// The places of a stored position, by topic.
///
/// # Errors
/// [`Code::CursorExpired`] when the mark is none of ours: what follows it cannot be had.
pub(super) fn places(position: &Position) -> Result<BTreeMap<String, Place>> {
    let unreadable = || {
        Error::new(
            Code::CursorExpired,
            "the stored position of the event feed cannot be read",
        )
    };
    let mark: Mark = serde_json::from_slice(&position.mark).map_err(|cause| unreadable().cause(cause))?;
    let place = |(topic, stored): (String, Stored)| {
        let replay = stored.replay.map(|id| STANDARD.decode(id)).transpose();
        let replay = replay.map_err(|cause| unreadable().cause(cause))?;
        Ok((
            topic,
            Place {
                replay,
                seen: stored.seen,
            },
        ))
    };
    mark.topics.into_iter().map(place).collect()
}

/// The moment from which a sweep has to look to find what was committed at `moment`.
pub(super) fn before(moment: Timestamp) -> Timestamp {
    back(moment, MARGIN)
}

fn back(moment: Timestamp, by: Duration) -> Timestamp {
    moment.checked_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_and_the_topic_that_lags_says_what_was_seen() {
        let at = |second| Timestamp::from_second(second).expect("a moment");
        let mut changes = Place {
            replay: None,
            seen: at(500),
        };
        changes.advance(&[0, 255, 7], Some(at(400)));
        let pings = Place {
            replay: None,
            seen: at(450),
        };
        let position = position([("/data/ChangeEvents", &changes), ("/event/P__e", &pings)].into_iter());
        let position = position.expect("it is written");
        assert_eq!(position.seen_until, at(450));
        let back = places(&position).expect("it is read");
        assert_eq!(
            back["/data/ChangeEvents"],
            Place {
                replay: Some(vec![0, 255, 7]),
                seen: at(500)
            }
        );
        assert_eq!(back["/event/P__e"], pings);
        for mark in [
            &b""[..],
            b"rubbish",
            b"{}",
            br#"{"topics":{"a":{"replay":"!","seen":"2026-01-01T00:00:00Z"}}}"#,
        ] {
            let bad = Position {
                mark: mark.to_vec(),
                seen_until: at(0),
            };
            assert_eq!(places(&bad).expect_err("no mark").code, Code::CursorExpired);
        }
    }
}
