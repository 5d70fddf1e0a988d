//! Several services on one PostgreSQL server that learn of changes: one of them reads, another goes on where it stood once
//! that one is gone, and each change is dealt with once.

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, Service, until};
use crate::schema::{SHORT_LEASE, Schema};

const CHANGES: &str = "[changes]\nmode = \"events\"\npoll_seconds = 1\n";
/// What is watched, and what is changed after it to see that all before was heard.
const WATCHED: &str = "OPP-4482";
const MARKER: &str = "MARK-000001";

struct Cluster {
    house: House,
    services: Vec<Service>,
    schema: Schema,
}

impl Cluster {
    fn build(nodes: usize) -> Cluster {
        let (house, schema) = (House::empty(), Schema::new(&format!("handover{nodes}")));
        schema.configure(&house, &format!("{SHORT_LEASE}{CHANGES}"));
        house.seed();
        let marker =
            json!({"add": true, "name": "marker", "generate": {"opportunities": 1, "prefix": "MARK-"}});
        house.control(Method::POST, "/sandbox/seed", &marker);
        house.cpq(&["auth", "connect-crm"]).ok();
        for opportunity in [WATCHED, MARKER] {
            house.cpq(&["sync", "run", "--opportunity", opportunity]).ok();
        }
        let services = (0..nodes).map(|_| house.serve_as(&[], &[])).collect();
        let cluster = Cluster {
            house,
            services,
            schema,
        };
        cluster.reader_is_live();
        cluster
    }

    fn ask(&self, path: &str) -> Json {
        let any = self.services.last().expect("a service");
        any.json(Method::GET, path, &[], &json!(null)).1
    }

    /// Waits until both feeds are read, and gives the place of the service that hears of events.
    fn reader_is_live(&self) -> usize {
        let feeds = || self.ask("/api/v1/feeds")["feeds"].as_array().cloned();
        let read = |feed: &Json| feed["state"] == "live" && self.place_of(feed).is_some();
        let feeds = until("a reader", feeds, |feeds| {
            let feeds = feeds.as_deref().unwrap_or_default();
            feeds.len() == 2 && feeds.iter().all(read)
        });
        let feeds = feeds.expect("feeds");
        let events = feeds.iter().find(|feed| feed["feed"] == "pubsub");
        self.place_of(events.expect("events")).expect("one of ours")
    }

    fn place_of(&self, feed: &Json) -> Option<usize> {
        let (pid, _) = feed["readBy"].as_str()?.split_once('-')?;
        self.services
            .iter()
            .position(|service| service.pid().to_string() == pid)
    }

    fn syncs(&self) -> Vec<Json> {
        let page = self.ask("/api/v1/sync?limit=200");
        page["syncs"]
            .as_array()
            .unwrap_or_else(|| panic!("{page}"))
            .clone()
    }

    /// How many syncs of what is watched wrote, once all have ended.
    fn written(&self) -> usize {
        let at_rest = |syncs: &Vec<Json>| syncs.iter().all(|sync| sync["status"] == "success");
        let syncs = until("rest", || self.syncs(), at_rest);
        let wrote = |sync: &&Json| sync["opportunity"] == WATCHED && sync["outcome"]["effect"] == "written";
        syncs.iter().filter(wrote).count()
    }

    /// Changes the name in the CRM, and waits until the quote has it.
    fn rename(&self, opportunity: &str, name: &str) {
        let soql = format!("SELECT Id FROM Opportunity WHERE Opportunity_Number__c = '{opportunity}'");
        let row = self.house.soql(&soql).remove(0);
        let path = format!("sobjects/Opportunity/{}", row["Id"].as_str().expect("an id"));
        self.house.crm(Method::PATCH, &path, &json!({"Name": name}));
        let quotes = format!("/api/v1/quotes?opportunity={opportunity}");
        let names = || self.ask(&quotes)["quotes"][0]["context"]["opportunity.name"]["text"].clone();
        until("the name", names, |now| now == name);
    }

    /// Changes the name of what is watched: how many syncs wrote because of it. An echo of what was written would have come
    /// before the change of the marker, which is heard after it.
    fn writes_of(&self, name: &str) -> usize {
        let before = self.written();
        self.rename(WATCHED, name);
        self.written();
        self.rename(MARKER, name);
        self.written() - before
    }

    /// The service that reads goes in this way; then another one reads.
    fn hand_over(&mut self, by: fn(Service)) {
        let reader = self.reader_is_live();
        by(self.services.remove(reader));
        self.reader_is_live();
    }

    fn finish(self) {
        drop(self.services);
        drop(self.house);
        self.schema.remove();
    }
}

/// `./test` starts these by a part of their path.
mod on_a_server {
    use super::*;

    #[test]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    fn one_node_reads_and_another_goes_on_where_it_stood() {
        let mut cluster = Cluster::build(3);
        assert_eq!(cluster.writes_of("Read by the first"), 1);
        cluster.hand_over(Service::kill);
        assert_eq!(cluster.writes_of("Read after a kill"), 1);
        cluster.hand_over(Service::end);
        assert_eq!(cluster.writes_of("Read after a farewell"), 1);
        // What changes while nobody is there is read by the next one that comes.
        cluster.services.remove(0).end();
        let fresh = cluster.house.serve_as(&[], &[]);
        cluster.services.push(fresh);
        assert_eq!(cluster.writes_of("Read by a new node"), 1);
        cluster.finish();
    }

    /// The nodes are replaced one after the other, as a new release is rolled out, while changes go on.
    #[test]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    fn a_rolling_restart_misses_no_change() {
        let mut cluster = Cluster::build(2);
        for round in 0..4 {
            let old = cluster.services.remove(0);
            let ending = std::thread::spawn(move || old.end());
            let name = format!("Round {round}");
            assert_eq!(cluster.writes_of(&name), 1, "{name}");
            ending.join().expect("it ends by itself");
            let fresh = cluster.house.serve_as(&[], &[]);
            cluster.services.push(fresh);
        }
        cluster.finish();
    }
}
