//! Completeness certificates.

use axum::extract::State;
use axum::response::Response;
use cpq_domain::certificate::{Object as Counted, Verdict};
use cpq_domain::id::ConnectionName;
use cpq_store::certificates::{self, Certificate, Filter};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer;
use crate::failure::Failure;
use crate::input::{Params, invalid};
use crate::reach::Reach;
use crate::state::ApiState;
use crate::timeline::page_rows;

/// What was true of one object and hour when it was looked at last.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateView {
    /// The hour (UTC), by its first moment, in which the CRM last changed the opportunities that it speaks of.
    #[schema(value_type = String, format = DateTime)]
    pub hour: Timestamp,
    /// What it counts.
    pub object: Counted,
    /// Green only if every record that was looked at is on both sides with the same values.
    pub verdict: Verdict,
    /// Whether every record of the hour was looked at, and the hour was over by then.
    pub complete: bool,
    /// Records in the CRM.
    pub crm_count: i64,
    /// Records in the CPQ.
    pub cpq_count: i64,
    /// Sum over the CRM's records of a strong hash of their closed values, 128 bits in hexadecimal; the order of records
    /// does not matter.
    pub crm_checksum: String,
    /// The same of the CPQ's.
    pub cpq_checksum: String,
    /// Records that differed.
    pub differing: i64,
    /// Records whose sync was under way.
    pub in_flight: i64,
    /// Opportunities that take no part.
    pub excluded: i64,
    /// Version of the ownership matrix by which it was judged.
    pub matrix_version: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// The reconcile that made it.
    pub reconciliation: String,
}

/// A page of certificates, by hour and object.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CertificatePage {
    /// The certificates.
    pub certificates: Vec<CertificateView>,
    /// Hand this in as `after` to go on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which certificates to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Of this CRM connection; when absent, of the one that the token is for, or the default one.
    #[param(value_type = Option<ConnectionName>)]
    connection: Option<ConnectionName>,
    /// Of hours from this moment on.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// That say this.
    verdict: Option<Verdict>,
    /// Rows, at most 200, usually 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(pattern = r"^[0-9]{1,11}\.(opportunity|quote_record|quote_lines)$")]
    after: Option<String>,
}

/// List completeness certificates
///
/// The last one of each object and hour. It is never green while a record that was looked at differs.
#[utoipa::path(
    get,
    path = "/api/v1/certificates",
    operation_id = "listCertificates",
    tag = "reconcile",
    params(Which),
    responses((status = 200, description = "A page, by hour and object", body = CertificatePage))
)]
pub(crate) async fn list(
    State(api): State<ApiState>,
    reach: Reach,
    Params(which): Params<Which>,
) -> Result<Response, Failure> {
    let limit = page_rows(which.limit)?;
    let filter = Filter {
        connection: reach.one(which.connection, &api.settings.default_connection)?,
        since: which.since,
        verdict: which.verdict,
        after: which.after.as_deref().map(read).transpose()?,
        limit,
    };
    let found = api
        .store
        .read(move |tx| Box::pin(async move { certificates::list(tx, &filter).await }))
        .await?;
    let full = u32::try_from(found.len()).is_ok_and(|rows| rows == limit);
    let next = found.last().filter(|_| full).map(written);
    let certificates = found.into_iter().map(view).collect();
    Ok(answer::of(200, &CertificatePage { certificates, next })?)
}

fn written(last: &Certificate) -> String {
    format!("{}.{}", last.hour.as_second(), last.object.as_str())
}

fn read(text: &str) -> cpq_domain::Result<(Timestamp, Counted)> {
    let parts = text.split_once('.').and_then(|(hour, object)| {
        let hour = Timestamp::from_second(hour.parse().ok()?).ok()?;
        let object = Counted::ALL.into_iter().find(|one| one.as_str() == object)?;
        Some((hour, object))
    });
    parts.ok_or_else(|| invalid("`after` must be the `next` of an earlier page").field("after"))
}

fn view(one: Certificate) -> CertificateView {
    CertificateView {
        hour: one.hour,
        object: one.object,
        verdict: one.verdict,
        complete: one.complete,
        crm_count: one.tally.crm_count,
        cpq_count: one.tally.cpq_count,
        crm_checksum: format!("{:032x}", one.tally.crm_sum),
        cpq_checksum: format!("{:032x}", one.tally.cpq_sum),
        differing: one.tally.differing,
        in_flight: one.tally.in_flight,
        excluded: one.tally.excluded,
        matrix_version: one.matrix_version,
        made_at: one.made_at,
        reconciliation: one.reconciliation.to_string(),
    }
}
