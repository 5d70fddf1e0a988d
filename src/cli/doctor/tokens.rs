//! Tokens of our own API: those that end soon, and those that nobody uses.

use cpq_api::tokens;
use cpq_store::tokens::ApiToken;
use jiff::{SignedDuration, Timestamp};

use super::connections::Ground;
use super::finding::{Check, Group, count};
use crate::cli::token::OWN_CLIENT;

const HERE: Group = Group::Work;
const NAME: &str = "API tokens";
/// How long before its end a token should be replaced.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How long a token may lie about unused before it is one too many.
const UNUSED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The check.
pub async fn examine(ground: &Ground) -> Check {
    match tokens::list(&ground.store).await {
        Err(error) => Check::failed(HERE, NAME, &error),
        Ok(list) => judged(&list, ground.world.now()),
    }
}

fn judged(list: &[ApiToken], now: Timestamp) -> Check {
    // The command line makes its own anew by itself.
    let counts = |token: &&ApiToken| token.is_good(now) && token.client.as_str() != OWN_CLIENT;
    let list: Vec<&ApiToken> = list.iter().filter(counts).collect();
    let lines: Vec<String> = list.iter().flat_map(|token| remarks(token, now)).collect();
    match lines.is_empty() {
        true => Check::ok(
            HERE,
            NAME,
            format!("{} in use", count(list.len(), "token", "tokens")),
        ),
        false => Check::warn(
            HERE,
            NAME,
            format!("{} to be looked at", count(lines.len(), "token is", "tokens are")),
            "replace one with `cpq token create` for the same client, then `cpq token revoke ID`",
        )
        .with(lines),
    }
}

fn remarks(token: &ApiToken, now: Timestamp) -> Option<String> {
    let (id, client) = (&token.id, &token.client);
    let ends = token.expires_at.filter(|end| end.duration_since(now) < SOON);
    let unused = token.last_used_at.is_none() && now.duration_since(token.created_at) > UNUSED;
    match (ends, unused) {
        (Some(end), _) => Some(format!("{id} of {client} ends at {end:.0}")),
        (None, true) => Some(format!(
            "{id} of {client} was never used since {:.0}",
            token.created_at
        )),
        (None, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use cpq_domain::id::ClientId;

    use super::*;
    use crate::cli::doctor::finding::Verdict;

    fn token(id: &str, made: &str, ends: &str, used: Option<&str>) -> ApiToken {
        let moment = |text: &str| text.parse::<Timestamp>().expect("a moment");
        ApiToken {
            id: id.into(),
            client: ClientId::new("desk").expect("a client"),
            name: id.into(),
            hash: Vec::new(),
            scopes: vec!["sync:read".into()],
            connection: None,
            created_at: moment(made),
            expires_at: Some(moment(ends)),
            revoked_at: None,
            last_used_at: used.map(moment),
        }
    }

    #[test]
    fn tokens_that_end_soon_or_lie_about_are_told() {
        let now = "2026-06-01T00:00:00Z".parse().expect("a moment");
        let (old, late) = ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
        let fine = token("fine", old, late, Some("2026-05-31T00:00:00Z"));
        let fresh = token("fresh", "2026-05-30T00:00:00Z", late, None);
        assert_eq!(judged(&[fine.clone(), fresh.clone()], now).verdict, Verdict::Ok);
        let ends = token("ends", old, "2026-06-10T00:00:00Z", Some("2026-05-31T00:00:00Z"));
        let mut own = token("own", old, "2026-06-02T00:00:00Z", None);
        own.client = ClientId::new(OWN_CLIENT).expect("a client");
        let unused = token("unused", old, late, None);
        let ended = token("ended", old, "2026-05-01T00:00:00Z", None);
        let check = judged(&[fine, fresh, ends, own, unused, ended], now);
        assert_eq!(check.verdict, Verdict::Warn);
        let told: Vec<&str> = check
            .more
            .iter()
            .map(|line| line.split(' ').next().unwrap_or_default())
            .collect();
        assert_eq!(told, ["ends", "unused"]);
    }
}
