//! The version list and the resource lists.

use super::door::{Ask, Door};
use super::target::{NEWEST, OLDEST, Version};
use super::{DataResponse, ok};
use crate::org::ApiError;
use http::Method;
use serde_json::{Map, Value as Json, json};

/// Resources listed under a version; those that the sandbox does not serve answer 404, as switched-off features do.
const RESOURCES: [&str; 36] = [
    "tooling",
    "metadata",
    "eclair",
    "folders",
    "prechatForms",
    "contact-tracing",
    "jsonxform",
    "chatter",
    "payments",
    "tabs",
    "appMenu",
    "quickActions",
    "queryAll",
    "commerce",
    "wave",
    "iot",
    "knowledgeManagement",
    "search",
    "composite",
    "parameterizedSearch",
    "theme",
    "nouns",
    "event",
    "serviceTemplates",
    "recent",
    "connect",
    "licensing",
    "limits",
    "process",
    "dedupe",
    "async-queries",
    "query",
    "jobs",
    "support",
    "sobjects",
    "actions",
];

/// `GET /services/data`: needs no login and is not counted.
pub fn versions(ask: &Ask) -> Result<DataResponse, ApiError> {
    if ask.method != Method::GET {
        return Err(ask.not_allowed("GET,HEAD"));
    }
    let list = (OLDEST..=NEWEST).map(|number| {
        json!({"label": label(number), "url": format!("/services/data/v{number}.0"), "version": format!("{number}.0")})
    });
    Ok(DataResponse {
        cost: 0,
        ..ok(list.collect())
    })
}

/// Release name of a version: three a year, and Winter carries the next year's number. Version 68 is Winter '27.
fn label(number: u16) -> String {
    let releases = number + 13;
    let season = ["Winter", "Spring", "Summer"][usize::from(releases % 3)];
    format!("{season} '{:02}", releases / 3)
}

/// `GET /services/data/vXX.0`.
pub fn resources(door: &Door<'_>, ask: &Ask, version: &Version) -> Result<DataResponse, ApiError> {
    if ask.method != Method::GET {
        return Err(ask.not_allowed("GET,HEAD"));
    }
    let mut out: Map<String, Json> = RESOURCES
        .iter()
        .map(|r| {
            (
                (*r).to_owned(),
                format!("/services/data/{}/{r}", version.text).into(),
            )
        })
        .collect();
    let (base, user) = (door.around.instance_url(), door.hand.user);
    out.insert(
        "identity".into(),
        format!("{base}/id/{}/{user}", door.org.organization_id()).into(),
    );
    Ok(ok(Json::Object(out)))
}

/// `GET /composite`.
pub fn composite(version: &Version) -> DataResponse {
    let all = [("tree", 34), ("batch", 34), ("sobjects", 42), ("graph", 50)];
    let known = all.into_iter().filter(|(_, since)| *since <= version.number);
    let url = |name: &str| format!("/services/data/{}/composite/{name}", version.text);
    let urls: Map<String, Json> = known
        .map(|(name, _)| (name.to_owned(), url(name).into()))
        .collect();
    ok(Json::Object(urls))
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn labels_follow_the_release_calendar() {
        assert_eq!(label(68), "Winter '27");
        assert_eq!(label(67), "Summer '26");
        assert_eq!(label(66), "Spring '26");
        assert_eq!(label(42), "Spring '18");
        assert_eq!(label(31), "Summer '14");
    }
}
