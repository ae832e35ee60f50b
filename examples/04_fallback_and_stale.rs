//! What answers while the breaker is open: a value, a handler, or the last good answer.
//!
//! ```sh
//! cargo run --example 04_fallback_and_stale
//! ```

use plimsoll::{Breaker, Outcome, Plimsoll, Rejection, Slo, Stale};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tower::{Layer, ServiceExt, service_fn};

/// Whether the service behind the guards is broken.
static BROKEN: AtomicBool = AtomicBool::new(false);

/// The service: the weather in a city.
async fn weather(city: String) -> Result<String, std::io::Error> {
    match BROKEN.load(Ordering::Relaxed) {
        true => Err(std::io::Error::other("the weather service is down")),
        false => Ok(format!("sunny in {city}")),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let plimsoll = Plimsoll::new();
    let slo = plimsoll.declare(Slo::new("weather").success(99.0).over_minutes(60))?;
    let guard = |name: &str| slo.guard().named(name).breaker(Breaker::default());

    // The same value for everybody.
    let value = guard("value").fallback_value("no forecast today".to_owned()).layer()?;

    // A handler: it is given the request and the refusal, and may fail too; then the refusal stands.
    let handler = |city: String, refusal: Rejection| async move {
        if city == "Atlantis" { Err("no such city") } else { Ok(format!("{city}? ask again: {refusal}")) }
    };
    let handler = guard("handler").fallback(handler).layer()?;

    // The last good answer to the same question, if it is not too old; also when a call was let through and failed.
    let stale = Stale::new(|city: &String| city.clone()).max_age(Duration::from_secs(60)).capacity(1_000);
    let stale = guard("stale").stale(stale).also_on_failure().layer()?;
    let remembering = stale.layer(service_fn(weather));

    println!("while it works:    {}", remembering.clone().oneshot("Bern".into()).await?);
    BROKEN.store(true, Ordering::Relaxed);
    println!("failed, answered:  {}", remembering.clone().oneshot("Bern".into()).await?);

    // From here on as if the breakers had opened.
    plimsoll.guards().iter().for_each(|guard| guard.force_open());
    println!("the last answer:   {}", remembering.clone().oneshot("Bern".into()).await?);
    if let Err(error) = remembering.oneshot("Basel".into()).await {
        println!("never asked for:   {error}");
    }
    println!("a value:           {}", value.layer(service_fn(weather)).oneshot("Bern".into()).await?);
    let service = handler.layer(service_fn(weather));
    println!("a handler:         {}", service.clone().oneshot("Bern".into()).await?);
    if let Err(error) = service.oneshot("Atlantis".into()).await {
        println!("one that fails:    {error}");
    }

    // A degraded answer is good to the SLO and counted apart; the breaker saw the failure all the same.
    println!();
    for guard in plimsoll.guards() {
        let degraded: u64 = guard.outcomes().filter(|(outcome, _)| *outcome == Outcome::Degraded).map(|(_, n)| n).sum();
        println!("guard {:<8} answered {degraded} calls by its fallback", guard.name());
    }
    Ok(())
}
