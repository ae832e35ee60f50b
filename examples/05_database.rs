//! A breaker around a database, async and sync: no Tower, no HTTP, and for `call` and `admit` no async runtime either.
//!
//! ```sh
//! cargo run --example 05_database
//! ```

use plimsoll::{Breaker, Guard, GuardError, Outcome, Plimsoll, Slo};
use std::time::Duration;

/// What a driver's errors are like.
#[derive(Debug)]
enum DbError {
    NotFound,
    ConnectionLost,
}

/// Stands in for a connection pool.
#[derive(Debug, Default)]
struct Database {
    down: bool,
}

impl Database {
    async fn query(&self, id: u32) -> Result<String, DbError> {
        tokio::task::yield_now().await;
        self.query_blocking(id)
    }

    fn query_blocking(&self, id: u32) -> Result<String, DbError> {
        match id {
            _ if self.down => Err(DbError::ConnectionLost),
            0 => Err(DbError::NotFound),
            id => Ok(format!("customer {id}")),
        }
    }
}

/// That there is no such row is an answer, not a failure of the database.
fn classify(result: Result<&String, &DbError>) -> Outcome {
    match result {
        Ok(_) | Err(DbError::NotFound) => Outcome::Success,
        Err(DbError::ConnectionLost) => Outcome::FAILURE,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let plimsoll = Plimsoll::new();
    let slo = plimsoll
        .declare(Slo::new("database").success(99.9).latency(99.0, Duration::from_millis(50)).over_minutes(60))?;
    // Calls that hang never fail: ten of them for two seconds open the breaker too.
    let breaker = Breaker::default().age_in_flight(Duration::from_secs(2), 10);
    let guard: Guard = slo.guard().breaker(breaker).build()?;
    let mut database = Database::default();

    // Async: the future is awaited if the guard lets it through, and not even polled if not.
    println!("async:    {:?}", guard.run(database.query(7)).await);

    // With a classifier: what is no failure does not spend budget.
    println!("no row:   {:?}", guard.run_classified(classify, database.query(0)).await);

    // Sync, on this thread.
    println!("sync:     {:?}", guard.call(|| database.query_blocking(8)));

    // By hand, where a call begins here and ends elsewhere. A permit that is dropped counts as abandoned.
    let permit = guard.admit()?;
    let rows = database.query_blocking(9);
    permit.finish(classify(rows.as_ref()));

    println!("\nthe connection is lost");
    database.down = true;
    let mut failed = 0;
    let rejection = loop {
        match guard.run_classified(classify, database.query(7)).await {
            Err(GuardError::Rejected(rejection)) => break rejection,
            _ => failed += 1,
        }
    };
    println!("failed:   {failed} calls, then the breaker opened");
    println!("refused:  {rejection}");
    println!("why:      {}", guard.explain());
    for alert in slo.alerts().iter().filter(|alert| alert.state.is_firing()) {
        println!("firing:   {} for {}", alert.severity, alert.name);
    }
    Ok(())
}
