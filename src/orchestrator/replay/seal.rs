//! The digest of a plan: what was looked at is what is carried out.

use aws_lc_rs::digest::{Context, SHA256};
use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::replay::Plan;
use cpq_store::{Store, replays};
use serde::Serialize;

/// Changes when the text below changes, so that no plan of an older version passes for one of this.
const VERSION: &str = "cpq-replay-plan-1";

/// SHA-256 over the content of a plan and its items in order, a page at a time; as hex.
pub(super) async fn digest(store: &Store, plan: &Plan) -> Result<String> {
    let mut sum = Context::new(&SHA256);
    line(&mut sum, &VERSION)?;
    line(&mut sum, &plan.id)?;
    line(&mut sum, &plan.content)?;
    let (id, mut after) = (plan.id, 0);
    loop {
        let items = store
            .read(move |tx| Box::pin(async move { replays::items(tx, id, None, after, PAGE_ROWS).await }))
            .await?;
        let Some(last) = items.last() else { break };
        after = last.item.position;
        for now in &items {
            line(&mut sum, &now.item)?;
        }
    }
    Ok(sum
        .finish()
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// JSON has no line end outside its strings, and escapes those within, so no two plans give one text.
fn line(sum: &mut Context, part: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string(part)
        .map_err(|error| Error::new(Code::Internal, "a replay plan has no JSON form").cause(error))?;
    sum.update(text.as_bytes());
    sum.update(b"\n");
    Ok(())
}
