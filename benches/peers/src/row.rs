//! A row of the table: a name, the work of each thread, and what it is held to.

use crate::common::measure::Work;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::runtime::Handle;

/// What a row may cost.
#[derive(Clone, Copy)]
pub enum Mark {
    /// So many times two `Instant::now()` on one thread, and 1.1 times that on two.
    Reads(f64),
    /// So many times the row of that name.
    Times(f64, &'static str),
}

pub struct Row {
    pub group: &'static str,
    pub name: String,
    pub make: Box<dyn Fn(usize) -> Work + Sync>,
    pub mark: Option<Mark>,
    /// Says, given how many calls were made, what is wrong with what was counted.
    pub check: Option<Box<dyn Fn(u64) -> Option<String>>>,
    made: Arc<AtomicU64>,
}

impl Row {
    /// `make` gives each thread its operation.
    pub fn new<F: FnMut() + 'static>(
        group: &'static str,
        name: impl Into<String>,
        make: impl Fn(usize) -> F + Sync + 'static,
    ) -> Self {
        let made = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&made);
        let make = move |thread| -> Work {
            in_a_runtime();
            let (mut operation, made) = (make(thread), Arc::clone(&counter));
            Box::new(move |n| {
                for _ in 0..n {
                    operation();
                }
                made.fetch_add(n, Ordering::Relaxed);
            })
        };
        Self { group, name: name.into(), make: Box::new(make), mark: None, check: None, made }
    }

    pub fn mark(mut self, mark: Mark) -> Self {
        self.mark = Some(mark);
        self
    }

    pub fn check(mut self, check: impl Fn(u64) -> Option<String> + 'static) -> Self {
        self.check = Some(Box::new(check));
        self
    }

    /// Compares two numbers that must be the same.
    pub fn counts(self, count: impl Fn() -> u64 + 'static) -> Self {
        self.check(move |made| {
            let counted = count();
            (counted != made).then(|| format!("{made} calls were made and {counted} counted"))
        })
    }

    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }
}

/// Some of them sleep when they meet another thread, and need a runtime's timer for that. Others do not notice.
fn in_a_runtime() {
    static RUNTIME: OnceLock<Handle> = OnceLock::new();
    let handle = RUNTIME.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let handle = runtime.handle().clone();
        std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        handle
    });
    std::mem::forget(handle.enter());
}
