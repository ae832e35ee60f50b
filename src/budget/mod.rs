//! JUDGE: burn rates and error budgets. Pure arithmetic over what the windows read.

mod burn;
mod remaining;

pub use burn::{BurnRate, InsufficientData, burn_rate, exceeds};
pub use remaining::Budget;
