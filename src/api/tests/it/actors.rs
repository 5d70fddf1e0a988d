//! Small systems on both sides, and a small quote desk: just enough for the API to have something to talk about.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cpq_domain::adapter::{
    Call, CallBudget, CpqAdapter, CpqCapabilities, CpqWrite, CrmAdapter, CrmSnapshot, CrmWrite, CrmWritten,
    Mapped, Mapping, Probe, QuoteTarget,
};
use cpq_domain::desk::{DeskAnswer, QuoteDesk, QuoteFilter, QuotePage};
use cpq_domain::id::{
    ConnectionName, CorrelationId, IdempotencyKey, LineKey, OpportunityKey, QuoteId, RecordId,
};
use cpq_domain::keyed::Keyed;
use cpq_domain::ownership::Matrix;
use cpq_domain::quote::{OpportunityRef, Quote, Status, Totals, Transition};
use cpq_domain::schema::CrmSchema;
use cpq_domain::value::{Money, Shape, Value};
use cpq_domain::view::{Patch, View};
use cpq_domain::{Code, Error, Result};
use cpq_orchestrator::Sides;
use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore};

/// A CRM and a CPQ that remember what is written to them.
pub struct Systems {
    matrix: Arc<Matrix>,
    sides: Arc<Memory>,
}

/// What both systems hold, and the switches of a test.
pub struct Memory {
    quote: Mutex<Option<Quote>>,
    crm: Mutex<BTreeMap<String, Value>>,
    /// Reads of the CRM pass one by one while this has permits.
    pub gate: Semaphore,
    /// A read of the CRM has begun.
    pub entered: Notify,
    /// What the next read of the CRM answers instead.
    pub failure: Mutex<Option<Error>>,
    /// What was last sent to the CRM with a read.
    pub last_call: Mutex<Option<Call>>,
    reads: AtomicU32,
}

impl Systems {
    pub fn new(matrix: Arc<Matrix>) -> Systems {
        let sides = Memory {
            quote: Mutex::default(),
            crm: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            entered: Notify::new(),
            failure: Mutex::default(),
            last_call: Mutex::default(),
            reads: AtomicU32::new(0),
        };
        Systems {
            matrix,
            sides: Arc::new(sides),
        }
    }

    pub fn memory(&self) -> &Memory {
        &self.sides
    }

    /// Holds every read of the CRM until [`Systems::open`].
    pub fn close(&self) {
        self.sides.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub fn open(&self) {
        self.sides.gate.add_permits(1_000);
    }

    pub fn fail_next(&self, error: Error) {
        *self.sides.failure.lock().unwrap() = Some(error);
    }

    pub fn reads(&self) -> u32 {
        self.sides.reads.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Sides for Systems {
    async fn crm(&self, connection: &ConnectionName) -> Result<Arc<dyn CrmAdapter>> {
        match connection.as_str() {
            "crm" => Ok(self.sides.clone()),
            other => Err(
                Error::new(Code::NotConnected, format!("there is no connection {other}")).connection(other),
            ),
        }
    }

    fn cpq(&self) -> Arc<dyn CpqAdapter> {
        self.sides.clone()
    }

    fn matrix(&self) -> Arc<Matrix> {
        self.matrix.clone()
    }
}

#[async_trait]
impl CrmAdapter for Memory {
    fn mapping(&self) -> Arc<Mapping> {
        let mapped = |path: &str| Mapped {
            path: path.into(),
            writable: true,
            shape: Shape::default(),
        };
        let fields = BTreeMap::from([
            ("account.name".into(), mapped("Account.Name")),
            ("quote.number".into(), mapped("Opportunity.CPQ_Number__c")),
        ]);
        Arc::new(Mapping {
            fields,
            warnings: vec!["quote.status: not mapped".into()],
        })
    }

    async fn probe(&self, _: &Call) -> Result<Probe> {
        Ok(Probe::default())
    }

    async fn describe(&self, _: &Call) -> Result<CrmSchema> {
        Err(Error::new(Code::Unsupported, "this CRM is not described"))
    }

    async fn read(&self, call: &Call, key: &OpportunityKey) -> Result<CrmSnapshot> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        *self.last_call.lock().unwrap() = Some(call.clone());
        self.entered.notify_one();
        self.gate
            .acquire()
            .await
            .expect("the gate is never taken down")
            .forget();
        if let Some(error) = self.failure.lock().unwrap().take() {
            return Err(error);
        }
        if key.as_str() == "OPP-0000" {
            return Err(Error::new(Code::OpportunityNotFound, "no opportunity OPP-0000").record("OPP-0000"));
        }
        assert_ne!(key.as_str(), "OPP-PANIC", "a planted panic");
        let mut view = View::default();
        view.fields.insert("account.name".into(), Value::text("Acme"));
        let number = self.crm.lock().unwrap().get("quote.number").cloned();
        view.fields
            .insert("quote.number".into(), number.unwrap_or_default());
        view.lines.insert(LineKey::new("L1").unwrap(), BTreeMap::new());
        Ok(CrmSnapshot {
            line_records: Default::default(),
            opportunity: opportunity(key.as_str()),
            view,
            modified_at: Timestamp::UNIX_EPOCH,
            modified_by: None,
        })
    }

    async fn write(&self, _: &Call, write: &CrmWrite) -> Result<CrmWritten> {
        let mut crm = self.crm.lock().unwrap();
        for (field, value) in &write.patch.fields {
            crm.insert(field.to_string(), value.clone());
        }
        let view = View {
            fields: write.patch.fields.clone(),
            ..View::default()
        };
        Ok(CrmWritten {
            view,
            modified_at: Timestamp::UNIX_EPOCH,
        })
    }

    fn budget(&self) -> Option<CallBudget> {
        None
    }
}

#[async_trait]
impl CpqAdapter for Memory {
    fn capabilities(&self) -> CpqCapabilities {
        CpqCapabilities {
            idempotency_keys: true,
            preview: false,
        }
    }

    async fn find(&self, _: &Call, _: &str, _: &OpportunityKey) -> Result<Option<Quote>> {
        Ok(self.quote.lock().unwrap().clone())
    }

    async fn get(&self, _: &Call, id: &QuoteId) -> Result<Quote> {
        Err(Error::new(Code::QuoteNotFound, format!("no quote {id}")))
    }

    async fn preview(&self, _: &Call, _: &CpqWrite) -> Result<Option<Quote>> {
        Ok(None)
    }

    async fn write(&self, _: &Call, _: &IdempotencyKey, write: &CpqWrite) -> Result<Quote> {
        let mut held = self.quote.lock().unwrap();
        let mut quote = match &write.target {
            QuoteTarget::New(of) => quote(of.clone()),
            QuoteTarget::Existing { .. } => held.clone().expect("a quote to change"),
        };
        quote.context.extend(write.patch.fields.clone());
        *held = Some(quote.clone());
        Ok(quote)
    }

    async fn transition(
        &self,
        _: &Call,
        _: &IdempotencyKey,
        _: &QuoteTarget,
        _: Transition,
        _: Option<&str>,
    ) -> Result<Quote> {
        Err(Error::new(Code::Unsupported, "this CPQ has no transitions"))
    }
}

pub fn opportunity(number: &str) -> OpportunityRef {
    OpportunityRef {
        system: "crm".into(),
        id: RecordId::new("006000000000001AAA").unwrap(),
        number: OpportunityKey::new(number).ok(),
    }
}

pub fn quote(opportunity: OpportunityRef) -> Quote {
    let nothing = || Money::zero("USD");
    Quote {
        id: QuoteId::new("q-1").unwrap(),
        root_id: QuoteId::new("q-1").unwrap(),
        number: "Q-2026-0137".to_owned().try_into().unwrap(),
        revision: 1,
        previous_revision_id: None,
        superseded_by_id: None,
        status: Status::Draft,
        version: 1,
        is_primary: true,
        name: "Acme".into(),
        opportunity,
        currency: "USD".into(),
        price_list: None,
        valid_until: None,
        payment_terms: None,
        header_discount: None,
        lines: Vec::new(),
        totals: Totals {
            list: nothing(),
            line_discount: nothing(),
            header_discount: nothing(),
            net: nothing(),
            discount_percent: Default::default(),
            optional_net: nothing(),
        },
        context: BTreeMap::new(),
        reason: None,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    }
}

/// A desk with one quote, that remembers the answers to keys.
#[derive(Default)]
pub struct Desk {
    held: Mutex<Option<Quote>>,
    answers: Mutex<HashMap<Scoped, ([u8; 32], DeskAnswer)>>,
}

/// A client and its key.
type Scoped = (String, String);

impl Desk {
    fn once(
        &self,
        keyed: &Keyed,
        work: impl FnOnce(&mut Option<Quote>) -> Result<(u16, Quote)>,
    ) -> Result<DeskAnswer> {
        let name = (keyed.client.to_string(), keyed.key.to_string());
        if let Some((fingerprint, answer)) = self.answers.lock().unwrap().get(&name) {
            if fingerprint != &keyed.fingerprint {
                return Err(Error::new(
                    Code::IdempotencyKeyReused,
                    "the key was used for another request",
                ));
            }
            return Ok(DeskAnswer {
                replayed: true,
                ..answer.clone()
            });
        }
        let (status, quote) = work(&mut self.held.lock().unwrap())?;
        let body = serde_json::to_string(&quote).unwrap();
        let answer = DeskAnswer {
            status,
            body,
            etag: Some(quote.etag()),
            replayed: false,
        };
        self.answers
            .lock()
            .unwrap()
            .insert(name, (keyed.fingerprint, answer.clone()));
        Ok(answer)
    }

    fn edit(&self, keyed: &Keyed, etag: &str, edit: impl FnOnce(&mut Quote)) -> Result<DeskAnswer> {
        self.once(keyed, |held| {
            let quote = held
                .as_mut()
                .ok_or_else(|| Error::new(Code::QuoteNotFound, "no quote"))?;
            if quote.etag() != etag {
                return Err(Error::new(Code::QuoteConflict, "the quote was changed meanwhile"));
            }
            edit(quote);
            quote.version += 1;
            Ok((200, quote.clone()))
        })
    }
}

#[async_trait]
impl QuoteDesk for Desk {
    async fn create(
        &self,
        keyed: &Keyed,
        _: &CorrelationId,
        of: &OpportunityRef,
        patch: &Patch,
    ) -> Result<DeskAnswer> {
        self.once(keyed, |held| {
            if held.is_some() {
                return Err(Error::new(Code::QuoteDuplicate, "there is a quote already"));
            }
            let mut quote = quote(of.clone());
            quote.context.extend(patch.fields.clone());
            *held = Some(quote.clone());
            Ok((201, quote))
        })
    }

    async fn change(
        &self,
        keyed: &Keyed,
        _: &CorrelationId,
        _: &QuoteId,
        etag: &str,
        patch: &Patch,
    ) -> Result<DeskAnswer> {
        self.edit(keyed, etag, |quote| quote.context.extend(patch.fields.clone()))
    }

    async fn transition(
        &self,
        keyed: &Keyed,
        _: &CorrelationId,
        _: &QuoteId,
        etag: &str,
        transition: Transition,
        reason: Option<&str>,
    ) -> Result<DeskAnswer> {
        self.edit(keyed, etag, |quote| {
            quote.status = quote
                .status
                .after(transition)
                .expect("the test asks for what is allowed");
            quote.reason = reason.map(str::to_owned);
        })
    }

    async fn preview(
        &self,
        of: Option<&OpportunityRef>,
        _: Option<&QuoteId>,
        patch: &Patch,
    ) -> Result<Quote> {
        let mut quote = quote(of.cloned().unwrap_or_else(|| opportunity("OPP-4482")));
        quote.context.extend(patch.fields.clone());
        Ok(quote)
    }

    async fn get(&self, id_or_number: &str) -> Result<Quote> {
        let held = self.held.lock().unwrap().clone();
        held.filter(|quote| quote.id.as_str() == id_or_number || quote.number.as_str() == id_or_number)
            .ok_or_else(|| Error::new(Code::QuoteNotFound, format!("no quote {id_or_number}")))
    }

    async fn list(&self, filter: &QuoteFilter) -> Result<QuotePage> {
        let held = self.held.lock().unwrap().clone();
        let quotes = held
            .into_iter()
            .filter(|quote| filter.status.is_none_or(|status| status == quote.status));
        Ok(QuotePage {
            quotes: quotes.take(filter.limit as usize).collect(),
            cursor: None,
        })
    }
}
