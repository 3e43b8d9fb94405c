//! Averages in event time. Sums are exact, so that the order of arrival can't change a verdict.

pub mod counter;
pub mod exact;
pub mod mean;
pub mod window;
