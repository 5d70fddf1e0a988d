//! The operations that are served, each with what carries it out.

use super::call::{self, Call};
use super::envelope::unavailable;
use super::fault::Fault;
use super::xml::Xml;
use super::{describe, merge, query, recycle_bin, replication, rows, user};
use crate::door::Around;
use crate::oauth::Session;
use crate::org::{ApiError, Origin};
use crate::rest::{Ask, Caller, Door, Payload, Within};
use crate::state::lock;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use roxmltree::Node;
use serde_json::{Value as Json, json};

/// What can be asked for with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Create,
    Delete,
    DescribeGlobal,
    DescribeSObject,
    DescribeSObjects,
    EmptyRecycleBin,
    GetDeleted,
    GetServerTimestamp,
    GetUpdated,
    GetUserInfo,
    Logout,
    Merge,
    Query,
    QueryAll,
    QueryMore,
    Retrieve,
    Search,
    Undelete,
    Update,
    Upsert,
}

/// Operations of the WSDL that are switched off here.
const SWITCHED_OFF: [&str; 21] = [
    "changeOwnPassword",
    "convertLead",
    "deleteByExample",
    "describeAppMenu",
    "describeApprovalLayout",
    "describeAvailableQuickActions",
    "describeCompactLayouts",
    "describeDataCategoryGroups",
    "describeLayout",
    "describeQuickActions",
    "describeSoftphoneLayout",
    "describeTabs",
    "describeTheme",
    "findDuplicates",
    "findDuplicatesByIds",
    "invalidateSessions",
    "process",
    "resetPassword",
    "sendEmail",
    "sendEmailMessage",
    "setPassword",
];

impl Operation {
    /// The operation of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "create" => Self::Create,
            "delete" => Self::Delete,
            "describeGlobal" => Self::DescribeGlobal,
            "describeSObject" => Self::DescribeSObject,
            "describeSObjects" => Self::DescribeSObjects,
            "emptyRecycleBin" => Self::EmptyRecycleBin,
            "getDeleted" => Self::GetDeleted,
            "getServerTimestamp" => Self::GetServerTimestamp,
            "getUpdated" => Self::GetUpdated,
            "getUserInfo" => Self::GetUserInfo,
            "logout" => Self::Logout,
            "merge" => Self::Merge,
            "query" => Self::Query,
            "queryAll" => Self::QueryAll,
            "queryMore" => Self::QueryMore,
            "retrieve" => Self::Retrieve,
            "search" => Self::Search,
            "undelete" => Self::Undelete,
            "update" => Self::Update,
            "upsert" => Self::Upsert,
            _ => return None,
        })
    }

    fn writes(self) -> bool {
        match self {
            Self::Create
            | Self::Delete
            | Self::EmptyRecycleBin
            | Self::Merge
            | Self::Undelete
            | Self::Update
            | Self::Upsert => true,
            Self::DescribeGlobal
            | Self::DescribeSObject
            | Self::DescribeSObjects
            | Self::GetDeleted
            | Self::GetServerTimestamp
            | Self::GetUpdated
            | Self::GetUserInfo
            | Self::Logout
            | Self::Query
            | Self::QueryAll
            | Self::QueryMore
            | Self::Retrieve
            | Self::Search => false,
        }
    }
}

/// The fault for every other name.
pub fn unserved(call: Node<'_, '_>) -> Fault {
    let name = call.tag_name().name();
    if SWITCHED_OFF.contains(&name) {
        return Fault::api(
            "FUNCTIONALITY_NOT_ENABLED",
            format!("{name} is not enabled in this org"),
        );
    }
    unavailable(call)
}

/// A call with the org in hand.
pub struct Desk<'a, 'd> {
    /// The call.
    pub call: &'a Call<'a>,
    /// The data API behind it.
    pub door: &'a mut Door<'d>,
    /// The answer as it grows.
    pub xml: Xml,
}

/// Carries an operation out. All that it changes is committed, or nothing of it.
///
/// # Errors
/// Why the call was refused as a whole; records that were refused are part of the answer.
pub fn carry_out(call: &Call<'_>, session: &Session, operation: Operation) -> Result<Xml, Fault> {
    match operation {
        Operation::Logout => {
            call::log_out(call);
            return Ok(Xml::default());
        }
        Operation::GetUserInfo => return user::result(call, session),
        Operation::GetServerTimestamp => return Ok(user::timestamp(call)),
        _ => {}
    }
    let around = Around {
        sandbox: call.sandbox,
        visit: call.visit,
    };
    let caller = Caller {
        user_id: session.user_id.clone(),
        origin: Origin {
            api: "soap",
            version: call.endpoint.version_text(),
            client: call.headers.client.clone(),
        },
    };
    let mut org = lock(&call.sandbox.org);
    let mark = org.mark();
    let mut door = Door::open(&mut org, &around, &caller);
    let mut desk = Desk {
        call,
        door: &mut door,
        xml: Xml::default(),
    };
    let outcome = with_org(&mut desk, operation);
    let xml = desk.xml;
    if outcome.is_err() {
        door.org.rollback(mark);
    }
    door.commit();
    call.sandbox.announce(&mut org);
    if operation.writes() {
        call.sandbox.touch();
    }
    outcome.map(|()| xml)
}

fn with_org(desk: &mut Desk<'_, '_>, operation: Operation) -> Result<(), Fault> {
    match operation {
        Operation::Create => rows::create(desk),
        Operation::Delete => rows::delete(desk),
        Operation::DescribeGlobal => describe::global(desk),
        Operation::DescribeSObject | Operation::DescribeSObjects => describe::objects(desk),
        Operation::EmptyRecycleBin => recycle_bin::empty(desk),
        Operation::GetDeleted => replication::deleted(desk),
        Operation::GetUpdated => replication::updated(desk),
        Operation::Merge => merge::merge(desk),
        Operation::Query => query::query(desk, "query"),
        Operation::QueryAll => query::query(desk, "queryAll"),
        Operation::QueryMore => query::more(desk),
        Operation::Retrieve => query::retrieve(desk),
        Operation::Search => query::search(desk),
        Operation::Undelete => recycle_bin::undelete(desk),
        Operation::Update => rows::update(desk),
        Operation::Upsert => rows::upsert(desk),
        Operation::GetServerTimestamp | Operation::GetUserInfo | Operation::Logout => Ok(()),
    }
}

impl Desk<'_, '_> {
    /// Asks the data API behind it; what it has to say about records is the same for both.
    ///
    /// # Errors
    /// Its first error.
    pub fn ask(
        &mut self,
        method: Method,
        path: &[&str],
        pairs: &[(&str, &str)],
        body: Option<Json>,
    ) -> Result<Json, Fault> {
        let version = format!("v{}", self.call.endpoint.version_text());
        let segments = ["services", "data", &version]
            .into_iter()
            .chain(path.iter().copied());
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let ask = Ask {
            method,
            segments: segments.map(str::to_owned).collect(),
            pairs: pairs.iter().map(owned).collect(),
            headers: self.as_rest_headers(),
            payload: body.map_or_else(|| Payload::Raw(Default::default()), Payload::Json),
        };
        let response = self.door.answer(&ask, Within::Soap);
        let body = response.body.unwrap_or(Json::Null);
        if response.status.is_success() {
            return Ok(body);
        }
        let text = |key: &str| body[0][key].as_str().unwrap_or_default().to_owned();
        Err(Fault::api(text("errorCode"), text("message")))
    }

    /// The header entries that REST has as headers.
    fn as_rest_headers(&self) -> HeaderMap {
        let said = &self.call.headers;
        let duplicates = format!(
            "allowSave={}; includeRecordDetails={}",
            said.allow_duplicates, said.duplicate_details
        );
        let pairs = [
            ("sforce-query-options", format!("batchSize={}", said.batch)),
            ("sforce-duplicate-rule-header", duplicates),
        ];
        let header = |(name, value): (&'static str, String)| {
            Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?))
        };
        pairs.into_iter().filter_map(header).collect()
    }

    /// The position of an object that the caller names.
    ///
    /// # Errors
    /// `INVALID_TYPE`.
    pub fn object(&self, name: &str) -> Result<usize, Fault> {
        self.door.object(name).map_err(|_: ApiError| {
            Fault::api(
                "INVALID_TYPE",
                format!(
                    "sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to \
                     append the '__c' after the entity name. Please reference your WSDL or the describe call for the \
                     appropriate names."
                ),
            )
        })
    }

    /// The name of an object as the schema writes it.
    pub fn name_of(&self, at: usize) -> String {
        self.door.schema().at(at).name.clone()
    }

    /// `{"allOrNone": …, "records": […]}`.
    pub fn collection(&self, records: Vec<Json>) -> Json {
        json!({"allOrNone": self.call.headers.all_or_none, "records": records})
    }
}
