//! "OAuth 2.0 Device Flow": an app without a browser shows a code, the person enters it elsewhere, the app asks until
//! it is answered (RFC 8628, whose draft Salesforce implemented).

use super::admission::open;
use super::grant::Grant;
use super::handout::{Form, Handout};
use super::random;
use super::refusal::Refusal;
use super::scope::{self, entitles_to_refresh};
use super::token::Request;
use crate::state::{Sandbox, default_user, lock};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;

/// Life of a code.
const LIFE: SignedDuration = SignedDuration::from_mins(10);
/// Seconds between two questions of the app; each that comes too early adds as many (RFC 8628 §3.5).
const INTERVAL: i64 = 5;
/// Codes kept; beyond it the expired go, and then all.
const CAPACITY: usize = 1_000;
/// Letters of the code that people enter, without those that look alike.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Length of that code.
const USER_CODE: usize = 8;

/// Requests under way, by the code of the device. They do not outlive the process.
#[derive(Default)]
pub struct Devices(HashMap<String, Device>);

/// One request.
#[derive(Clone)]
struct Device {
    client_id: String,
    scopes: Vec<String>,
    user_code: String,
    issued_at: Timestamp,
    asked_at: Option<Timestamp>,
    interval: i64,
    decision: Option<Decision>,
}

/// What the person said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The user with this id consented.
    Allowed(String),
    /// Somebody said no.
    Denied,
}

impl Devices {
    /// Notes what the person said; `false` when no request waits for this code.
    pub fn decide(&mut self, user_code: &str, decision: Decision, now: Timestamp) -> bool {
        let plain = |text: &str| text.replace(['-', ' '], "").to_ascii_uppercase();
        let waits = |device: &&mut Device| {
            device.decision.is_none() && device.is_live(now) && plain(&device.user_code) == plain(user_code)
        };
        match self.0.values_mut().find(waits) {
            Some(device) => {
                device.decision = Some(decision);
                true
            }
            None => false,
        }
    }

    fn add(&mut self, device: Device) -> String {
        if self.0.len() >= CAPACITY {
            self.0.retain(|_, old| old.is_live(device.issued_at));
        }
        if self.0.len() >= CAPACITY {
            self.0.clear();
        }
        let code = random::text(64);
        self.0.insert(code.clone(), device);
        code
    }

    /// The answered request of a code, which is used up by that.
    fn poll(&mut self, code: &str, client_id: &str, now: Timestamp) -> Result<(Device, String), Refusal> {
        let own = |device: &&mut Device| device.client_id == client_id && device.is_live(now);
        let unknown = || Refusal::grant("invalid device code");
        let device = self.0.get_mut(code).filter(own).ok_or_else(unknown)?;
        match device.decision.clone() {
            Some(Decision::Allowed(user_id)) => {
                let device = self.0.remove(code).ok_or_else(unknown)?;
                Ok((device, user_id))
            }
            Some(Decision::Denied) => {
                self.0.remove(code);
                Err(Refusal::new("access_denied", "end-user denied authorization"))
            }
            None => Err(device.hold_off(now)),
        }
    }
}

impl Device {
    fn is_live(&self, now: Timestamp) -> bool {
        now.duration_since(self.issued_at) < LIFE
    }

    fn hold_off(&mut self, now: Timestamp) -> Refusal {
        let soon = |at: Timestamp| now.duration_since(at) < SignedDuration::from_secs(self.interval);
        let too_soon = self.asked_at.is_some_and(soon);
        self.asked_at = Some(now);
        if too_soon {
            self.interval += INTERVAL;
            return Refusal::new("slow_down", "polling too frequently");
        }
        Refusal::new("authorization_pending", "user has not yet authorized the device")
    }
}

/// `response_type=device_code`: the two codes, and where the person enters one of them.
pub fn begin(request: &Request<'_>) -> Result<Vec<(&'static str, String)>, Refusal> {
    let client = request.client(false)?;
    let scopes = scope::grant(request.params.get("scope"), &client.scopes).ok_or_else(Refusal::scope)?;
    let device = Device {
        client_id: client.client_id,
        scopes,
        user_code: random::of(LETTERS, USER_CODE),
        issued_at: request.visit.now(request.sandbox),
        asked_at: None,
        interval: INTERVAL,
        decision: by_itself(request.sandbox),
    };
    let user_code = device.user_code.clone();
    let device_code = lock(&request.sandbox.access).devices.add(device);
    Ok(vec![
        ("device_code", device_code),
        ("user_code", user_code),
        (
            "verification_uri",
            format!("{}/setup/connect", request.visit.base_url),
        ),
        ("interval", INTERVAL.to_string()),
    ])
}

/// Under `autoApprove` nobody has to enter anything.
fn by_itself(sandbox: &Sandbox) -> Option<Decision> {
    let user = sandbox
        .settings()
        .auto_approve
        .then(|| default_user(&lock(&sandbox.org)));
    user.flatten().map(|user| Decision::Allowed(user.id))
}

/// `grant_type=device`: asks whether the person has answered.
pub fn exchange(request: &Request<'_>) -> Result<Handout, Refusal> {
    let code = request.params.need("code")?;
    let client = request.client(false)?;
    open(request.sandbox)?;
    let now = request.visit.now(request.sandbox);
    let answered = lock(&request.sandbox.access)
        .devices
        .poll(code, &client.client_id, now);
    let (device, user_id) = answered?;
    let user = request.user(|org| org.user(&user_id), Refusal::grant("authentication failure"))?;
    client.check_approved(&user)?;
    let max_grants = request.sandbox.settings().max_grants;
    let grant = entitles_to_refresh(&device.scopes).then(|| {
        let grant = Grant::new(&user.id, &client.client_id, &device.scopes, now);
        lock(&request.sandbox.access).add_grant(grant, max_grants)
    });
    let (grant, refresh_token) = grant.unzip();
    Ok(Handout {
        grant,
        refresh_token,
        ..Handout::of_session(user, client, device.scopes, Form::Full)
    })
}
