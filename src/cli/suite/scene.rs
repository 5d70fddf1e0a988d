//! What the cases play on: records of their own in the CRM, and a CPQ that lives in memory.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::adapter::{Call, CrmSnapshot, QuoteTarget};
use cpq_domain::error::{Code, Error};
use cpq_domain::id::{ClientId, ConnectionName, CorrelationId, IdempotencyKey, Lane, OpportunityKey};
use cpq_domain::keyed::Keyed;
use cpq_domain::quote::{Quote, Transition};
use cpq_domain::run::{Run, RunState, Trigger};
use cpq_orchestrator::{Submission, Submitted};
use cpq_store::runs::Filter;
use cpq_store::{Store, StoreOptions};
use serde_json::json;

use super::hook::Hooked;
use super::org::Org;
use super::webhook;
use crate::app::{App, Role, open_store};
use crate::config::Config;

/// How often to look whether something has happened. An org counts each look as an API call.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Longest time that one sync of the suite may take.
const PATIENCE: Duration = Duration::from_secs(25);

/// Records, and what to take away at the end, last made first.
pub struct Scene {
    /// The application under test, with a store of its own.
    pub app: App,
    /// The suite's own hands in the CRM.
    pub org: Arc<Org>,
    /// The connection under test.
    pub connection: ConnectionName,
    /// Id of the opportunity.
    pub opportunity: String,
    /// Id of its first line.
    pub line: String,
    made: Mutex<Vec<(&'static str, String)>>,
    keep: Keep,
}

/// Where the suite's marker goes, so that what it made can be found.
struct Keep {
    marker: String,
}

impl Scene {
    /// Makes the records: an account, a contact with a role, an opportunity with two lines.
    pub async fn open(config: &Config, connection: ConnectionName) -> Result<Scene> {
        let mut config = config.clone();
        config.webhooks.sources = [(webhook::SOURCE.to_owned(), webhook::secret())].into();
        let grants = open_store(&config).await?;
        let memory = Store::open(StoreOptions::memory()).await?;
        let app = App::over(&config, Role::Service, memory, grants).await?;
        let org = Arc::new(Org::new(
            app.broker.session(&connection),
            &config.crm.api_version,
        )?);
        let marker = format!("cpq acceptance {}", app.world.uuid());
        let (made, keep) = (Mutex::default(), Keep { marker });
        let mut scene = Scene {
            app,
            org,
            connection,
            opportunity: String::new(),
            line: String::new(),
            made,
            keep,
        };
        if let Err(error) = scene.furnish().await {
            // Half-made records go too; the first error is the one to tell.
            let _ = scene.clean_up().await;
            return Err(error);
        }
        Ok(scene)
    }

    async fn furnish(&mut self) -> Result<()> {
        let name = self.keep.marker.clone();
        let account = self
            .make(
                "Account",
                json!({"Name": name, "BillingCity": "Utrecht", "BillingCountry": "Netherlands"}),
            )
            .await?;
        let contact = self.make("Contact", json!({"LastName": name, "FirstName": "Ada", "AccountId": account, "Email": "ada@example.com"})).await?;
        let entries = self.entries(&name).await?;
        let book = &entries[0].1;
        let opportunity = json!({"Name": name, "AccountId": account, "StageName": "Prospecting", "CloseDate": "2030-12-31", "Pricebook2Id": book});
        self.opportunity = self.make("Opportunity", opportunity).await?;
        let role = json!({"OpportunityId": self.opportunity, "ContactId": contact, "Role": "Decision Maker", "IsPrimary": true});
        self.make("OpportunityContactRole", role).await?;
        for (at, (entry, _)) in entries.iter().enumerate() {
            let line = json!({"OpportunityId": self.opportunity, "PricebookEntryId": entry, "Quantity": at + 2, "UnitPrice": 100});
            let id = self.make("OpportunityLineItem", line).await?;
            if at == 0 {
                self.line = id;
            }
        }
        Ok(())
    }

    /// Two entries of the standard price book, for products of the suite's own.
    async fn entries(&self, name: &str) -> Result<Vec<(String, String)>> {
        let books = self
            .org
            .query("SELECT Id FROM Pricebook2 WHERE IsStandard = true LIMIT 1")
            .await?;
        let book = books
            .first()
            .and_then(|book| book["Id"].as_str())
            .ok_or_else(|| {
                Error::new(
                    Code::CrmForbidden,
                    "the integration user sees no standard price book",
                )
                .object("Pricebook2")
            })?;
        let mut entries = Vec::new();
        for number in 1..=2 {
            let product = self.make("Product2", json!({"Name": format!("{name} {number}"), "ProductCode": format!("CPQ-TEST-{number}"), "IsActive": true})).await?;
            let entry = self
                .make(
                    "PricebookEntry",
                    json!({"Pricebook2Id": book, "Product2Id": product, "UnitPrice": 100, "IsActive": true}),
                )
                .await?;
            entries.push((entry, book.to_owned()));
        }
        Ok(entries)
    }

    async fn make(&self, object: &'static str, fields: serde_json::Value) -> Result<String> {
        let id = self.org.create(object, fields).await?;
        self.made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((object, id.clone()));
        Ok(id)
    }

    /// Takes everything away, and looks whether it is gone.
    pub async fn clean_up(&self) -> Result<String> {
        self.app.engine.stop(Duration::from_secs(5)).await;
        let made: Vec<_> = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        for (object, id) in made.iter().rev() {
            self.org.delete(object, id).await?;
        }
        let pattern = &self.keep.marker;
        for object in ["Account", "Contact", "Opportunity", "Product2"] {
            let left = self
                .org
                .query(&format!("SELECT Id FROM {object} WHERE Name LIKE '{pattern}%'"))
                .await?;
            if !left.is_empty() {
                return Err(Error::new(
                    Code::CrmRejected,
                    format!("{} {object} records could not be removed", left.len()),
                ));
            }
        }
        Ok(format!(
            "{} CRM records removed, quotes were in memory only",
            made.len()
        ))
    }

    /// What the adapter reads.
    pub async fn read(&self) -> Result<CrmSnapshot> {
        let call = Call::live(CorrelationId::new("acceptance")?);
        self.app
            .crm(&self.connection)
            .await?
            .read(&call, &self.key()?)
            .await
    }

    fn key(&self) -> Result<OpportunityKey> {
        OpportunityKey::new(self.opportunity.clone())
    }

    /// The lane of the opportunity.
    pub fn lane(&self) -> Result<Lane> {
        Ok(Lane {
            connection: self.connection.clone(),
            opportunity: self.key()?,
        })
    }

    /// Syncs and waits for the end; anything but success is an error.
    pub async fn sync(&self) -> Result<Run> {
        match self.submit(None).await? {
            Submitted::Accepted(run) | Submitted::Joined(run) => self.ended(run).await,
            _ => Err(Error::new(
                Code::Internal,
                "a sync without key was answered from memory",
            )),
        }
    }

    /// Submits a sync, under a key or without.
    pub async fn submit(&self, keyed: Option<Keyed>) -> Result<Submitted> {
        let submission = Submission {
            keyed,
            ..Submission::of(self.lane()?, Trigger::Request)
        };
        self.app.engine.submit(submission).await
    }

    /// Waits for the end of a run.
    pub async fn ended(&self, run: Run) -> Result<Run> {
        let run = self.app.engine.wait(run.id, PATIENCE).await?;
        match (run.state, &run.error) {
            (RunState::Succeeded, _) => Ok(run),
            (_, Some(report)) => Err(Error::from(report.clone())),
            (state, None) => Err(Error::new(
                Code::Internal,
                format!("the sync is {state} after {} s", PATIENCE.as_secs()),
            )),
        }
    }

    /// Syncs with something happening in between.
    pub async fn sync_with(&self, hooked: Hooked) -> Result<Run> {
        let engine = self.app.engine_over(Arc::new(hooked));
        let submission = Submission::of(self.lane()?, Trigger::Request);
        let submitted = engine.submit(submission).await?;
        let Submitted::Accepted(run) = submitted else {
            return Err(Error::new(
                Code::Internal,
                "another sync of the suite is still at work",
            ));
        };
        let run = engine.wait(run.id, PATIENCE).await?;
        engine.stop(PATIENCE).await;
        match &run.error {
            Some(report) if run.state != RunState::Succeeded => Err(Error::from(report.clone())),
            _ => Ok(run),
        }
    }

    /// Makes the CRM's mirror of the quote's number wrong, so that the next sync has something to write there.
    pub async fn touch(&self) -> Result<()> {
        self.org
            .update(
                "Opportunity",
                &self.opportunity,
                json!({"CPQ_Quote_Number__c": "overwritten"}),
            )
            .await
    }

    /// Moves the quote along its life, as a person at the CPQ would.
    pub async fn transition(&self, quote: &Quote, transition: Transition) -> Result<Quote> {
        let by = CorrelationId::new("acceptance")?;
        let key = IdempotencyKey::new(format!("acceptance-{}", self.app.world.uuid()))?;
        let Some(desk) = self.app.desk() else {
            let target = QuoteTarget::Existing {
                id: quote.id.clone(),
                etag: quote.etag(),
            };
            let call = Call::live(by);
            let moved = self
                .app
                .cpq()
                .transition(&call, &key, &target, transition, None)
                .await?;
            // A CPQ elsewhere would send a webhook now.
            self.submit(None).await?;
            return Ok(moved);
        };
        let keyed = Keyed {
            client: ClientId::new("acceptance")?,
            key,
            fingerprint: [0; 32],
        };
        let moved = desk
            .transition(&keyed, &by, &quote.id, &quote.etag(), transition, None)
            .await?;
        serde_json::from_str(&moved.body).map_err(|error| {
            Error::new(
                Code::Internal,
                "the CPQ answered with something else than a quote",
            )
            .cause(error)
        })
    }

    /// Waits until the CRM shows this status of the quote; nobody asks for it, the change itself is the hint.
    pub async fn until_shown(&self, status: &str) -> Result<()> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let crm = self.org.fetch("Opportunity", &self.opportunity).await?;
            if crm["CPQ_Quote_Status__c"] == status {
                return self.quiet().await;
            }
            if tokio::time::Instant::now() > deadline {
                let seen = &crm["CPQ_Quote_Status__c"];
                return Err(Error::new(
                    Code::Internal,
                    format!("the CRM shows {seen} instead of {status:?}"),
                ));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until no sync of the suite is at work or waiting.
    pub async fn quiet(&self) -> Result<()> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let runs = self
                .app
                .engine
                .list(Filter {
                    limit: 200,
                    ..Filter::default()
                })
                .await?;
            match runs.iter().find(|run| !run.state.is_terminal()) {
                None => return Ok(()),
                Some(run) if tokio::time::Instant::now() > deadline => {
                    return Err(Error::new(
                        Code::Internal,
                        format!("{} is still {}", run.correlation, run.state),
                    ));
                }
                Some(run) => drop(self.app.engine.wait(run.id, Duration::from_secs(1)).await?),
            }
        }
    }

    /// How many syncs there were.
    pub async fn runs(&self) -> Result<usize> {
        Ok(self
            .app
            .engine
            .list(Filter {
                limit: 200,
                ..Filter::default()
            })
            .await?
            .len())
    }

    /// Which state of the grant is in use.
    pub async fn generation(&self) -> Result<u64> {
        Ok(self
            .app
            .broker
            .session(&self.connection)
            .access()
            .await?
            .generation)
    }

    /// The opportunity's quote in the suite's CPQ.
    pub async fn quote(&self) -> Result<Quote> {
        let call = Call::live(CorrelationId::new("acceptance")?);
        let found = self
            .app
            .cpq()
            .find(&call, self.connection.as_str(), &self.key()?)
            .await?;
        found.ok_or_else(|| Error::new(Code::QuoteNotFound, "the opportunity has no quote"))
    }
}

/// Fails a case with what was expected and what was there.
pub fn expect(what: &str, fine: bool, seen: impl std::fmt::Debug) -> Result<()> {
    match fine {
        true => Ok(()),
        false => Err(Error::new(Code::Internal, format!("{what}, but was {seen:?}"))),
    }
}
