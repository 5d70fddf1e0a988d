//! Replays of dead letters: how long they take, what a plan costs, what live traffic feels of them, and how true a plan is.
//!
//! Every letter that is replayed is of an opportunity without a quote, so each sync creates one and writes it back.

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::replay::{Plan, PlanId, PlanState, Selection};
use cpq_orchestrator::ReplayStart;

use super::Figure;
use super::house::House;
use crate::cli::output::Output;
use crate::config::Config;
use crate::fixtures;

mod live;
mod plans;

/// Milliseconds that the CRM takes for a call in all of these figures.
const CALL_MS: u64 = 20;
/// How often to ask how far a plan has come.
const ASK_EVERY: std::time::Duration = std::time::Duration::from_millis(5);

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// Dead letters that are replayed while nothing else goes on.
    pub letters: usize,
    /// Dead letters that a plan is made of.
    pub planned: usize,
    /// Dead letters that are replayed beside live traffic.
    pub beside_live: usize,
}

/// Measures all of it.
pub async fn measure(config: &Config, sizes: Sizes, output: Output) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    output.say(format!("a replay of {} dead letters …", sizes.letters));
    figures.extend(alone(config, sizes.letters).await?);
    for opportunities in [sizes.planned, sizes.planned.div_ceil(20)] {
        let letters = sizes.planned;
        output.say(format!(
            "a plan of {letters} dead letters on {opportunities} opportunities …"
        ));
        figures.extend(plans::measure(config, letters, opportunities).await?);
    }
    output.say(format!("a replay of {} beside live traffic …", sizes.beside_live));
    figures.extend(live::measure(config, sizes.beside_live).await?);
    Ok(figures)
}

async fn alone(config: &Config, letters: usize) -> Result<Vec<Figure>> {
    let house = House::build(config, letters).await?;
    house.latency(CALL_MS).await?;
    fixtures::load(&house.app.store, &config.crm.connection, letters, letters).await?;
    let plan = plan(&house).await?;
    let (calls, begin) = (house.api_calls().await?, house.app.world.monotonic_us());
    let done = carry_out(&house, &plan).await?;
    let seconds = (house.app.world.monotonic_us() - begin) as f64 / 1e6;
    let calls = house.api_calls().await? - calls;
    house.leave().await;
    let mut figures = vec![
        Figure::new(
            format!("replay of {letters} dead letters, CRM at {CALL_MS} ms"),
            seconds,
            "s",
            "≤ 2 for 1,000",
        ),
        Figure::new("  letters a second", letters as f64 / seconds, "/s", ""),
        Figure::new("  API calls that the CRM counted", calls, "calls", ""),
        Figure::new(
            "  time foretold",
            plan.content.prediction.milliseconds as f64 / 1_000.0,
            "s",
            "",
        ),
    ];
    figures.extend(truth(&plan, &done));
    Ok(figures)
}

/// What a plan foretold in parts of what happened.
fn truth(plan: &Plan, done: &Plan) -> Vec<Figure> {
    let (sum, happened) = (&plan.content.prediction, &done.progress);
    let ratio = |what: &str, foretold: u64, happened: u64| {
        let ratio = foretold as f64 / happened.max(1) as f64;
        Figure::new(
            format!("  {what}, foretold in parts of what happened"),
            ratio,
            "",
            "0.95 to 1.05",
        )
    };
    vec![
        ratio("syncs", sum.syncs, happened.succeeded),
        ratio("calls", sum.api_calls, happened.api_calls),
        ratio("values to the CRM", sum.crm_writes, happened.crm_writes),
        ratio("values to the CPQ", sum.cpq_writes, happened.cpq_writes),
    ]
}

/// Makes a plan of every open letter.
async fn plan(house: &House) -> Result<Plan> {
    let engine = &house.app.engine;
    let begun = engine.plan_replay(Selection::default(), "bench".into()).await?;
    leaves(house, begun.id, PlanState::Planning, PlanState::Planned).await
}

/// Carries it out as configured.
async fn carry_out(house: &House, plan: &Plan) -> Result<Plan> {
    house
        .app
        .engine
        .start_replay(plan.id, ReplayStart::default())
        .await?;
    leaves(house, plan.id, PlanState::Running, PlanState::Done).await
}

/// The plan once it is no longer in a state, which must lead to another.
async fn leaves(house: &House, id: PlanId, from: PlanState, to: PlanState) -> Result<Plan> {
    loop {
        let plan = house.app.engine.replay_plan(id).await?;
        if plan.state == to {
            return Ok(plan);
        }
        if plan.state != from {
            let why = plan.progress.reason.unwrap_or_default();
            let message = format!("a measured replay is {}: {why}", plan.state.as_str());
            return Err(Error::new(Code::Internal, message));
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}
