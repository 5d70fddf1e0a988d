//! Requests, spoilt: whatever comes, it is read or refused.

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use secrecy::SecretString;

use crate::mutation::{cases, spoilt};
use crate::signature::{self, WebhookSecret};
use crate::webhooks::WebhookBody;
use crate::{input, strict};

const BODIES: [&[u8]; 4] = [
    br#"{"opportunity":"OPP-4482","connection":"crm"}"#,
    br#"[{"opportunity":"OPP-4482"},{"opportunity":"006Sb0000000001IAA","connection":null}]"#,
    br#"{"opportunity":{"system":"crm","id":"006Sb0000000001IAA"},"patch":{"fields":{"quote.name":{"text":"a\n\u00e4"}},"lines":{"line-1":{"put":{"line.quantity":{"number":"12.50"}}},"line-2":"remove"}}}"#,
    br#"{"a":[0,-0,1,1.0,10e-1,-2.5E+3,123456789012345678901234567890,{"b":{"c":[[]]}},true,false,null]}"#,
];

/// What we take for JSON, everybody does; and the one form is one: it reads back as itself and as the same value.
#[test]
fn strict_json_is_json_and_its_one_form_is_stable() {
    let mut taken = 0;
    for case in 0..cases() {
        let bytes = spoilt(&BODIES, case);
        let Ok(text) = std::str::from_utf8(&bytes) else {
            continue;
        };
        let Ok(form) = strict::canonical(text) else {
            continue;
        };
        taken += 1;
        assert_eq!(strict::canonical(&form).as_ref(), Ok(&form), "{text}");
        let value: serde_json::Result<serde_json::Value> = serde_json::from_str(text);
        // Numbers that no float can hold are ours alone.
        if let Ok(value) = value {
            let again: serde_json::Value = serde_json::from_str(&form).expect("it is JSON");
            assert_eq!(again.is_object(), value.is_object(), "{text}");
        }
    }
    assert!(taken > 0, "nothing was taken");
}

#[test]
fn a_spoilt_body_is_read_or_refused_with_its_place() {
    for case in 0..cases() {
        if let Err(error) = input::json::<WebhookBody>(&spoilt(&BODIES, case)) {
            assert!(
                !error.message.is_empty() && error.message.len() < 4_000,
                "{error}"
            );
        }
    }
}

/// One spoilt byte, of the body or of a header, and nothing of it is believed.
#[test]
fn a_spoilt_delivery_is_not_believed() {
    let secret = WebhookSecret::parse(&SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        .expect("a secret");
    let now = Timestamp::from_second(1_795_000_000).expect("a moment");
    let good = [
        b"msg_1".to_vec(),
        b"1795000000".to_vec(),
        secret.sign("msg_1", 1_795_000_000, BODIES[0]).into_bytes(),
        BODIES[0].to_vec(),
    ];
    let secrets = [secret];
    let believed = |parts: &[Vec<u8>]| {
        let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        let mut headers = HeaderMap::new();
        for (name, value) in names.into_iter().zip(parts) {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        signature::verify(Some(&secrets), &headers, &parts[3], now).is_ok()
    };
    assert!(believed(&good));
    for case in 0..cases() {
        let mut parts = good.clone();
        let which = usize::try_from(case % 4).expect("it is small");
        parts[which] = spoilt(&[&good[which]], case);
        // A further signature beside the good one is no matter, and neither are bits that base64 leaves over.
        let same = which == 2
            && String::from_utf8_lossy(&parts[2])
                .split(' ')
                .any(|one| one.as_bytes() == good[2]);
        assert!(
            parts == good || same || !believed(&parts),
            "{case}: {:?}",
            String::from_utf8_lossy(&parts[which])
        );
    }
}

#[test]
fn a_spoilt_key_is_a_key_or_refused() {
    for case in 0..cases() {
        let key = spoilt(&[br#""order-4482/1""#, b"order-4482/1", br#""a\"b\\c""#], case);
        let Ok(value) = HeaderValue::from_bytes(&key) else {
            continue;
        };
        let headers = HeaderMap::from_iter([(HeaderName::from_static("idempotency-key"), value)]);
        if let Ok(Some(key)) = input::idempotency_key(&headers) {
            assert!(key.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "{key}");
        }
    }
}
