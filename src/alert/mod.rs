//! JUDGE: the multiwindow alerts, in process. Pure: `now` and the readings are handed in.

mod alerts;
mod edge;

pub use alerts::Alerts;
pub use edge::{AlertState, AlertStatus, Edge, Transition};
