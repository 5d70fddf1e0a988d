//! The rows that every org has before anybody writes one.

use super::input::{self, Purpose};
use super::{Hand, Id, Org};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

/// Label, probability, closed, won, forecast code, forecast name of the stages that a new org has
/// (Object Reference, OpportunityStage).
const STAGES: [(&str, u32, bool, bool, &str, &str); 10] = [
    ("Prospecting", 10, false, false, "Pipeline", "Pipeline"),
    ("Qualification", 10, false, false, "Pipeline", "Pipeline"),
    ("Needs Analysis", 20, false, false, "Pipeline", "Pipeline"),
    ("Value Proposition", 50, false, false, "Pipeline", "Pipeline"),
    ("Id. Decision Makers", 60, false, false, "Pipeline", "Pipeline"),
    ("Perception Analysis", 70, false, false, "Pipeline", "Pipeline"),
    ("Proposal/Price Quote", 75, false, false, "Pipeline", "Pipeline"),
    ("Negotiation/Review", 90, false, false, "Pipeline", "Pipeline"),
    ("Closed Won", 100, true, true, "Closed", "Closed"),
    ("Closed Lost", 0, true, false, "Omitted", "Omitted"),
];

impl Org {
    /// Seeds a new org.
    pub(super) fn seed(&mut self, now: Timestamp) {
        // The first user does not exist yet when the first rows are written; its id is known all the same.
        let user = Id::new(*b"005", 1);
        let hand = Hand { user, now };
        self.first_user = user;
        let organization = self.seed_row(&hand, "Organization", organization());
        self.organization = organization.to_string();
        let profile = self.seed_row(
            &hand,
            "Profile",
            json!({"Name": "System Administrator", "UserType": "Standard"}),
        );
        self.seed_row(&hand, "User", integration_user(profile));
        let book = json!({"Name": "Standard Price Book", "IsActive": true, "IsStandard": true});
        self.standard_pricebook = self.seed_row(&hand, "Pricebook2", book);
        for (order, stage) in STAGES.iter().enumerate() {
            self.seed_row(&hand, "OpportunityStage", stage_row(order, stage));
        }
        self.commit_silently();
    }

    fn seed_row(&mut self, hand: &Hand, object: &str, body: Json) -> Id {
        let schema = self.schema();
        let at = schema
            .position(object)
            .expect("the standard objects are embedded");
        let body: Map<String, Json> = body.as_object().cloned().unwrap_or_default();
        let given = input::read(self, schema.at(at), &body, Purpose::Seed, &[]);
        let given = given.expect("the rows of a new org fit the embedded tables");
        self.insert(hand, at, given)
            .expect("the rows of a new org break no rule")
    }
}

fn organization() -> Json {
    json!({
        "Name": "Sandbox", "OrganizationType": "Developer Edition", "InstanceName": "SBX1", "IsSandbox": false,
        "DefaultLocaleSidKey": "en_US", "TimeZoneSidKey": "GMT", "LanguageLocaleKey": "en_US",
        "FiscalYearStartMonth": 1,
    })
}

fn integration_user(profile: Id) -> Json {
    json!({
        "Username": "integration@sandbox.example", "Email": "integration@sandbox.example",
        "FirstName": "Integration", "LastName": "User", "Alias": "integr", "CommunityNickname": "integration",
        "IsActive": true, "ProfileId": profile.to_string(), "UserType": "Standard", "TimeZoneSidKey": "GMT",
        "LocaleSidKey": "en_US", "LanguageLocaleKey": "en_US", "EmailEncodingKey": "UTF-8",
    })
}

fn stage_row(order: usize, stage: &(&str, u32, bool, bool, &str, &str)) -> Json {
    let (label, probability, closed, won, code, name) = stage;
    json!({
        "MasterLabel": label, "ApiName": label, "IsActive": true, "SortOrder": order + 1, "IsClosed": closed,
        "IsWon": won, "ForecastCategory": code, "ForecastCategoryName": name, "DefaultProbability": probability,
    })
}
