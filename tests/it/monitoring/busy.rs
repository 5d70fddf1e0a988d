//! A service on a day on which much happens, good and bad.

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, Service, until};
use crate::outage::{fix, outage};

/// Retries come at once, and a CRM that does not answer is given up soon.
const SETTINGS: &str = "
[webhooks]
sources = { erp = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\" }
[retry]
base_ms = 50
[circuit]
failures_in_a_row = 2
open_ms = 200
";

pub struct Busy {
    pub house: House,
    pub service: Service,
    /// A token that may only read the figures.
    pub token: String,
}

impl Busy {
    /// A hundred syncs have failed before; what follows is counted by the service.
    pub fn day() -> Busy {
        let house = outage();
        fix(&house);
        conflict(&house);
        std::fs::write(house.path().join("cpq.toml"), SETTINGS).expect("the configuration");
        let service = house.serve_as(&[], &[]);
        let scope = [
            "token",
            "create",
            "--client",
            "prometheus",
            "--scope",
            "metrics:read",
        ];
        let token = house.cpq(&scope).ok().out.trim().to_owned();
        let busy = Busy {
            house,
            service,
            token,
        };
        busy.replay();
        busy.changes();
        busy.sessions();
        busy.refusals();
        busy.reconcile();
        busy.crm_away();
        busy
    }

    /// The page, as Prometheus' text or as OpenMetrics.
    pub fn page(&self, accept: &str) -> String {
        let url = format!("{}/metrics", self.service.url);
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str()), ("accept", accept)];
        let (status, page) = crate::house::http(Method::GET, &url, &headers, "");
        assert_eq!(status, 200, "{page}");
        page
    }

    /// The cause of the outage is gone, and its letters are replayed.
    fn replay(&self) {
        let planned = self.house.cpq(&["--json", "dlq", "plan"]).ok().json();
        let id = planned["id"].as_str().expect("a name");
        self.house.cpq(&["dlq", "replay", id]).ok();
    }

    /// Somebody renames a record; the CRM tells by itself.
    fn changes(&self) {
        let live = |feeds: &Json| feeds["feeds"].to_string().contains("\"state\":\"live\"");
        until("a feed", || self.get("/api/v1/feeds"), live);
        let row = &self
            .house
            .soql("SELECT Id FROM Opportunity WHERE Opportunity_Number__c = 'OPP-5001'")[0];
        let path = format!("sobjects/Opportunity/{}", row["Id"].as_str().expect("an id"));
        self.house
            .crm(Method::PATCH, &path, &json!({"Name": "Renamed by somebody"}));
        let told = |page: &String| page.contains("cpq_crm_events_total{connection=\"crm\",outcome=\"hint\"}");
        until("an event", || self.page("text/plain"), told);
    }

    /// Every session of the CRM ends.
    fn sessions(&self) {
        self.house
            .control(Method::POST, "/sandbox/sessions/expire", &json!({}));
        self.sync("OPP-5002");
    }

    fn refusals(&self) {
        for path in ["/api/v1/webhooks/erp", "/api/v1/webhooks/nobody"] {
            assert_eq!(self.service.call(Method::POST, path, &[], "{}").0, 401);
        }
        let path = "/api/v1/outbound-messages/nobody/0123456789abcdef0123456789abcdef";
        assert_eq!(self.service.call(Method::POST, path, &[], "<a/>").0, 401);
        // A connection that there is not is no name for a series.
        self.house.cpq(&[
            "sync",
            "run",
            "--opportunity",
            "OPP-5001",
            "--connection",
            "nobody",
        ]);
        // A sync of what is not there fails for good.
        self.sync("OPP-0000");
    }

    fn reconcile(&self) {
        // 1: something differs, as the outage left it.
        let said = self.house.cpq(&["reconcile"]);
        assert!(said.code <= 1, "{said:?}");
    }

    /// The CRM fails for a while, until it is no longer called; one sync is parked.
    fn crm_away(&self) {
        let away = json!([{"when": {"client": "cpq"}, "fault": {"kind": "server_error", "status": 503}}]);
        self.house.faults(away);
        for opportunity in ["OPP-5004", "OPP-5005", "OPP-5006", "OPP-5007"] {
            self.sync(opportunity);
        }
        let open = |page: &String| {
            page.contains("cpq_circuit_openings_total{connection=\"crm\",reason=\"circuit\"}")
        };
        until("an open circuit", || self.page("text/plain"), open);
    }

    fn sync(&self, opportunity: &str) {
        let path = format!("/api/v1/sync/opportunities/{opportunity}");
        self.service
            .call(Method::POST, &path, &[("prefer", "wait=3")], "{}");
    }

    fn get(&self, path: &str) -> Json {
        self.service.json(Method::GET, path, &[], &json!(null)).1
    }
}

/// Both people change a field that a person has to decide then.
fn conflict(house: &House) {
    let shown = house.cpq(&["ownership", "show", "--toml"]).ok().out;
    let owned = "field = \"quote.valid_until\"\nowner = \"cpq\"\npolicy = ";
    assert!(shown.contains(owned), "{shown}");
    let shared = shown.replace(&format!("{owned}\"computed\""), &format!("{owned}\"review\""));
    std::fs::write(house.path().join("shared.toml"), shared).expect("a file");
    house.cpq(&["ownership", "apply", "shared.toml"]).ok();
    house.cpq(&["sync", "run", "--opportunity", "OPP-5003"]).ok();
    let query = "SELECT Id, CPQ_Quote_Number__c FROM Opportunity WHERE Opportunity_Number__c = 'OPP-5003'";
    let row = house.soql(query).remove(0);
    let text = |name: &str| row[name].as_str().unwrap_or_else(|| panic!("{row}")).to_owned();
    let set = |day: &str| {
        house.cpq(&[
            "quote",
            "set",
            &text("CPQ_Quote_Number__c"),
            &format!("quote.valid_until={day}"),
        ])
    };
    set("2027-01-31").ok();
    let path = format!("sobjects/Opportunity/{}", text("Id"));
    house.crm(Method::PATCH, &path, &json!({"CPQ_Valid_Until__c": "2027-02-28"}));
    set("2027-03-31");
}
