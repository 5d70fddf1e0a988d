//! The place of it: a sandbox with opportunities, and a service that is started where the last one died.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use crate::house::House;

/// Opportunities: few enough that requests meet in a lane, more than are worked on at once.
pub const OPPORTUNITIES: usize = 40;
/// Name and secret of the webhook's sender.
pub const SOURCE: &str = "flow";
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Longest time that a start may take before the test is given up; what it takes is printed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A lease of a second, so that what a dead process held is taken up by the next one or the one after. Four syncs at
/// once: whatever is under way at three kills is put aside, and with all lanes under way that would be everything.
const SETTINGS: &str = "[service]\nlease_seconds = 1\nconcurrency = 4\n[changes]\nmode = \"events\"\npoll_seconds = 2\nsafety_net_minutes = 1\n\
                        [retry]\nbase_ms = 50\nthrottled_base_ms = 100\n\
                        [webhooks]\nsources = { flow = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\" }\n";

/// A number from the environment, so that the long form is the same test.
pub fn setting(name: &str, usual: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(usual, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} is a number"))
    })
}

/// Pseudo-random numbers (SplitMix64, Steele, Lea and Flood 2014): the same seed gives the same moments.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// What clients need to reach the service of the moment and the CRM.
#[derive(Clone)]
pub struct Doors {
    pub client: reqwest::Client,
    pub token: Arc<str>,
    pub crm_token: Arc<str>,
    pub sandbox: Arc<str>,
    /// URL of the service of the moment.
    pub url: watch::Receiver<String>,
}

pub struct Land {
    pub house: House,
    pub doors: Doors,
    pub runtime: tokio::runtime::Runtime,
    /// Ids of the opportunities in the CRM, by number.
    pub opportunities: Vec<(String, String)>,
    urls: watch::Sender<String>,
}

/// A running service.
pub struct Living {
    child: Child,
    begun: Instant,
    said: std::sync::mpsc::Receiver<String>,
}

impl Living {
    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Land {
    pub fn build() -> Land {
        let house = House::seeded();
        house.control(
            Method::POST,
            "/sandbox/seed",
            &json!({"add": true, "name": "kill", "generate": {"opportunities": OPPORTUNITIES, "prefix": "KILL-"}}),
        );
        house.cpq(&["auth", "connect-crm"]).ok();
        std::fs::write(house.path().join("cpq.toml"), SETTINGS).expect("a file");
        let text = |value: &Json| value.as_str().expect("text").to_owned();
        let found = house.soql(
            "SELECT Id, Opportunity_Number__c FROM Opportunity WHERE Opportunity_Number__c LIKE 'KILL-%'",
        );
        let opportunities: Vec<_> = found
            .iter()
            .map(|row| (text(&row["Opportunity_Number__c"]), text(&row["Id"])))
            .collect();
        assert_eq!(opportunities.len(), OPPORTUNITIES);
        let timeout = Duration::from_secs(20);
        let client = reqwest::Client::builder().no_proxy().timeout(timeout);
        let (urls, url) = watch::channel(String::new());
        let doors = Doors {
            client: client.build().expect("a client"),
            token: house.token().into(),
            crm_token: house.crm_token().into(),
            sandbox: house.sandbox().into(),
            url,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        Land {
            house,
            doors,
            runtime,
            opportunities,
            urls,
        }
    }

    /// Starts a service; clients learn of its address once [`Land::ready`] has seen it answer.
    #[expect(
        clippy::disallowed_methods,
        reason = "what a start takes is printed, and decides nothing"
    )]
    pub fn start(&self) -> Living {
        let mut command = self.house.command(&["serve", "--listen", "127.0.0.1:0"]);
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.house.path().join("serve.log"))
            .expect("a log");
        let begun = Instant::now();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let mut out = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
        let (tell, said) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            // A service that was killed before it spoke says nothing.
            if std::io::BufRead::read_line(&mut out, &mut line).is_ok_and(|bytes| bytes > 0) {
                let _ = tell.send(line);
            }
        });
        Living { child, begun, said }
    }

    /// Waits until it is ready. Returns how long that took from the start of the process.
    pub fn ready(&self, living: &mut Living) -> Duration {
        let line = living.said.recv_timeout(PATIENCE).unwrap_or_else(|why| {
            let log = std::fs::read_to_string(self.house.path().join("serve.log")).unwrap_or_default();
            let end: String = log
                .chars()
                .rev()
                .take(3_000)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect();
            panic!("the service does not start ({why}): {end}")
        });
        let url = line.trim().strip_prefix("cpq=").expect("its address").to_owned();
        let path = format!("{url}/readyz");
        let client = self.doors.client.clone();
        self.runtime.block_on(async move {
            loop {
                if client
                    .get(&path)
                    .send()
                    .await
                    .is_ok_and(|answer| answer.status() == 200)
                {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        let took = living.begun.elapsed();
        assert!(took < PATIENCE, "ready only after {took:?}");
        self.urls.send_replace(url);
        took
    }
}
