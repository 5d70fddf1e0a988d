//! What many stored syncs cost whoever looks: each page of the dashboard as a browser asks for it, and the proof of the log.

use cpq_api::access::SCOPES;
use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::world::World;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::header::{COOKIE, SET_COOKIE};
use secrecy::ExposeSecret;

use super::child::{self, STORE_URL};
use super::crowd::share;
use super::house::House;
use super::service::Service;
use super::{Figure, machine};
use crate::cli::output::Output;
use crate::cli::place;
use crate::config::Config;
use crate::fixtures;
use crate::world::RealWorld;

/// Syncs under way while the store is filled.
const IN_FLIGHT: usize = 128;
/// One of so many syncs is a dead letter besides.
const LETTERS_EACH: usize = 10;
/// How often each page is asked for; the first one, which fills caches, counts as well.
const LOOKS: usize = 20;
/// A browser that is logged in.
struct Browser<'a> {
    http: reqwest::Client,
    service: &'a Service,
    cookie: String,
    world: RealWorld,
}

/// Fills a store with that many syncs, each of an opportunity of its own, and looks at it.
pub async fn measure(config: &Config, syncs: usize, output: Output) -> Result<Vec<Figure>> {
    let house = House::build(config, syncs).await?;
    let filling = format!("filling a store with {syncs} syncs");
    output.busy(&filling, fill(&house, syncs)).await?;
    house.app.engine.stop(std::time::Duration::from_secs(5)).await;
    let mut figures = look(&house, syncs).await?;
    let begin = house.app.world.monotonic_us();
    let check = output.busy(
        "proving the log",
        child::run(house.config(), None, &["store", "check"]),
    );
    let checked = check.await?;
    let seconds = (house.app.world.monotonic_us() - begin) as f64 / 1e6;
    house.leave().await;
    figures.extend([
        Figure::new("`cpq store check` of them", seconds, "s", ""),
        Figure::new("  peak memory of its process", checked.peak_mib, "MiB", ""),
    ]);
    Ok(figures)
}

async fn fill(house: &House, syncs: usize) -> Result<()> {
    stream::iter(1..=syncs)
        .map(|number| async move { house.ended(&house.submit(number).await?).await })
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<Vec<()>>()
        .await?;
    let connection = &house.config().crm.connection;
    fixtures::load(&house.app.store, connection, syncs, syncs.div_ceil(LETTERS_EACH)).await
}

async fn look(house: &House, syncs: usize) -> Result<Vec<Figure>> {
    let (world, config) = (RealWorld::new(), house.config());
    // Whoever measures asks faster than one client may.
    let settings = place::save(
        &config.state_dir,
        "bench.toml",
        "[service]\nrequests_per_second = 0\n",
    )?;
    let settings = settings.display().to_string();
    let store = config.store_url()?;
    let env: Vec<_> = store.iter().map(|url| (STORE_URL, url.expose_secret())).collect();
    let service = Service::start(&config.state_dir, &["--config", &settings], &env, &world).await?;
    let figures = match Browser::log_in(house, &service, world).await {
        Ok(browser) => browser.figures(syncs).await,
        Err(error) => Err(error),
    };
    service.kill().await;
    figures
}

impl Browser<'_> {
    async fn log_in<'a>(house: &House, service: &'a Service, world: RealWorld) -> Result<Browser<'a>> {
        let mut create = vec!["token", "create", "--client", "bench"];
        let reading = SCOPES.iter().filter(|scope| scope.ends_with(":read"));
        reading.for_each(|scope| create.extend(["--scope", scope]));
        let made = child::run(house.config(), None, &create).await?.told;
        let token = made["token"].as_str().unwrap_or_default();
        let no_redirect = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().no_proxy().redirect(no_redirect);
        let http = client.build().map_err(failed)?;
        let form = [("token", token), ("back", "/")];
        let entered = http
            .post(format!("{}/login", service.url))
            .header("sec-fetch-site", "same-origin")
            .form(&form);
        let entered = entered.send().await.map_err(failed)?;
        let cookie = entered
            .headers()
            .get(SET_COOKIE)
            .and_then(|value| value.to_str().ok());
        let cookie = cookie.and_then(|value| value.split(';').next());
        let cookie = cookie.ok_or_else(|| failed(format!("the login answers {}", entered.status())))?;
        Ok(Browser {
            http,
            service,
            cookie: cookie.to_owned(),
            world,
        })
    }

    async fn figures(&self, syncs: usize) -> Result<Vec<Figure>> {
        let some = syncs / 2 + 1;
        let pages = [
            ("home", "/".to_owned()),
            ("syncs", "/syncs".to_owned()),
            ("syncs that are dead", "/syncs?state=dead".to_owned()),
            ("syncs of an opportunity", format!("/syncs?find=LOAD-{some:06}")),
            ("one sync", format!("/syncs/csync-{some:03}")),
            (
                "why a value is there",
                format!("/why?opportunity=LOAD-{some:06}&field=quote.status"),
            ),
            ("conflicts", "/conflicts".to_owned()),
            ("dead letters by cause", "/dead-letters".to_owned()),
            ("dead letters", "/dead-letters/list".to_owned()),
            ("reconciliations", "/reconciliations".to_owned()),
            ("connections", "/connections".to_owned()),
        ];
        let mut figures = Vec::new();
        for (what, path) in pages {
            let mut walls = Vec::new();
            for _ in 0..LOOKS {
                walls.push(self.open(&path).await?);
            }
            let what = format!("{what}, {syncs} syncs stored, median");
            figures.push(Figure::new(what, share(&mut walls, 50), "ms", ""));
            figures.push(Figure::new("  the slowest", share(&mut walls, 100), "ms", ""));
        }
        let memory = self.service.pid().and_then(machine::resident_mib);
        figures.push(Figure::new(
            "resident memory of the service after that",
            memory.unwrap_or_default(),
            "MiB",
            "",
        ));
        Ok(figures)
    }

    /// Milliseconds until a page is there as a whole.
    async fn open(&self, path: &str) -> Result<f64> {
        let begin = self.world.monotonic_us();
        let request = self
            .http
            .get(format!("{}{path}", self.service.url))
            .header(COOKIE, &self.cookie);
        let answer = request.send().await.map_err(failed)?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(failed(format!("{path} answers {}", answer.status())));
        }
        answer.bytes().await.map_err(failed)?;
        Ok((self.world.monotonic_us() - begin) as f64 / 1_000.0)
    }
}

fn failed(why: impl std::fmt::Display) -> Error {
    Error::new(Code::Internal, format!("cannot measure the dashboard: {why}"))
}
