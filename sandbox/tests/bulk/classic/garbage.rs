//! Batches of every kind: whatever comes, each has an end, and the sandbox goes on.

use super::client::media;
use crate::site::Site;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

/// Batches to try; each is a job of its own.
const CASES: u32 = 120;

fn bodies() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let csv = "Name,[NPhone,]{0,6}\n[\n\r,\"aé#N/A]{1,60}".prop_map(|text| ("CSV", text.into_bytes()));
    let json = "[\\[\\]{}\":,aName1 ]{1,60}".prop_map(|text| ("JSON", text.into_bytes()));
    let record = "(\"(Name|Id|Owner|What)\":(null|1|\"a\"|\\{\\}|\\[\\]|\\{\"Name\":\"x\"\\}),?){0,3}";
    let records = record.prop_map(|text| {
        (
            "JSON",
            format!("[{{{}}}]", text.trim_end_matches(',')).into_bytes(),
        )
    });
    let xml = "[<>/ aé&;=\"]{1,60}".prop_map(|text| ("XML", text.into_bytes()));
    let element = "(<(Name|Id|Owner|type)>(a|<sObject><Name>x</Name></sObject>|<sObject/>)</(Name|Id|Owner|type)>){0,3}";
    let elements = element.prop_map(|text| ("XML", format!("<a><b>{text}</b></a>").into_bytes()));
    let form = prop::sample::select(vec!["CSV", "JSON", "XML"]);
    let bytes = (form, prop::collection::vec(any::<u8>(), 1..200));
    prop_oneof![csv, json, records, xml, elements, bytes]
}

#[test]
fn whatever_a_batch_holds_it_comes_to_an_end() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let site = runtime.block_on(Site::new());
    let operation = prop::sample::select(vec!["insert", "update", "delete", "query"]);
    let mut runner = TestRunner::new(Config::with_cases(CASES));
    let tried = runner.run(&(operation, bodies()), |(operation, (form, body))| {
        runtime.block_on(async {
            let job = site.classic_job(operation, form, json!({})).await;
            let reply = site
                .say(&format!("/{job}/batch"), media(form), body.clone())
                .await;
            match reply.status {
                201 => {
                    let list = site.look(&format!("/{job}/batch")).await;
                    let batch = list
                        .text
                        .split("751")
                        .nth(1)
                        .map(|rest| format!("751{}", &rest[..15]))
                        .unwrap();
                    let (state, why) = site.batch_end(&job, &batch).await;
                    assert_eq!(state == "Failed", !why.is_empty(), "{why}");
                    let result = site.look(&format!("/{job}/batch/{batch}/result")).await;
                    let expected = if state == "Failed" { 400 } else { 200 };
                    assert_eq!(result.status, expected, "{}", result.text);
                }
                status => assert_eq!(status, 400, "{}", reply.text),
            }
            // As the description of a job, it is none.
            let reply = site.say("", media(form), body).await;
            assert_eq!(reply.status, 400, "{}", reply.text);
        });
        Ok(())
    });
    tried.unwrap();
}
