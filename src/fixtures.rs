//! The data of scenarios: what `cpq seed` puts on the CPQ's side, and what the tests expect.

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_store::{Store, counters, settings};
use serde::Deserialize;

use crate::app::open_store;
use crate::config::Config;

mod load;
mod outage;

pub use load::load;

/// The CPQ's half of the scenario `crm-sync`, and the quote that comes of it.
const QUOTE_FIXTURE: &str = include_str!("../fixtures/cpq_quote_fixture.json");

/// Setting of the store that pins the year of quote numbers, for scenarios that play in a fixed year.
pub const YEAR_SETTING: &str = "quoting.year";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QuoteFixture {
    scenario: String,
    series: Series,
    opportunities: Vec<String>,
}

/// The last quote number that was given before the scenario begins.
#[derive(Deserialize)]
struct Series {
    year: i16,
    last: i64,
}

/// A scenario, seen from the CPQ's side.
pub struct Scenario {
    fixture: QuoteFixture,
    failures: Option<outage::Failures>,
}

/// The scenario of that name.
pub fn scenario(name: &str) -> Result<Scenario> {
    let fixture: QuoteFixture =
        serde_json::from_str(QUOTE_FIXTURE).expect("the fixture parses; the demo runs on it");
    if fixture.scenario == name {
        let failures = None;
        return Ok(Scenario { fixture, failures });
    }
    if name == outage::SCENARIO {
        let failures = outage::failures();
        let fixture = QuoteFixture {
            scenario: name.to_owned(),
            opportunities: failures.opportunities(),
            ..fixture
        };
        let failures = Some(failures);
        return Ok(Scenario { fixture, failures });
    }
    Err(
        Error::new(Code::RequestInvalid, format!("there is no scenario {name:?}"))
            .next("use --scenario crm-sync or --scenario outage-100"),
    )
}

impl Scenario {
    /// Its name, which is also its name in the sandbox.
    pub fn name(&self) -> &str {
        &self.fixture.scenario
    }

    /// Business numbers of its opportunities.
    pub fn opportunities(&self) -> &[String] {
        &self.fixture.opportunities
    }

    /// Loads the CPQ's half into the store of the state directory.
    pub async fn seed_cpq(&self, config: &Config) -> Result<()> {
        self.seed_store(&open_store(config).await?).await
    }

    /// Loads the CPQ's half into a store: quotes go on from the scenario's last number, in the scenario's year.
    pub async fn seed_store(&self, store: &Store) -> Result<()> {
        let Series { year, last } = self.fixture.series;
        store
            .write(move |tx| {
                Box::pin(async move {
                    counters::set(tx, &format!("quote-number-{year}"), last).await?;
                    settings::put(tx, YEAR_SETTING, &year.to_string()).await
                })
            })
            .await?;
        match &self.failures {
            Some(failures) => failures.seed(store).await,
            None => Ok(()),
        }
    }
}
