//! gRPC status of errors.

use tonic::{Code, Status};

use super::super::problem::Refusal;
use crate::error::{Error, Limit};

/// Converts an error. The client gets the text of errors that it can fix; others are logged once.
pub fn from_error(error: Error) -> Status {
    match error {
        Error::Argument(sentence) => Status::invalid_argument(sentence),
        Error::Query(wrong) => Status::invalid_argument(wrong.sentence),
        Error::Limit(exceeded) => Status::new(limit_code(exceeded.limit), exceeded.sentence),
        Error::Busy(sentence) => Status::unavailable(sentence),
        other => from_refusal(Refusal::from(other)),
    }
}

fn limit_code(limit: Limit) -> Code {
    if limit.is_of_time() { Code::DeadlineExceeded } else { Code::ResourceExhausted }
}

pub fn from_refusal(refused: Refusal) -> Status {
    match refused.status.as_u16() {
        400..500 => Status::invalid_argument(refused.detail),
        503 => Status::unavailable(refused.detail),
        _ => Status::internal(refused.detail),
    }
}

/// Converts an encoding error of our own batch or schema.
pub fn from_arrow(error: arrow::error::ArrowError) -> Status {
    from_error(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn what_others_use_differs_from_what_the_query_uses() {
        let limits = Limits::default();
        for (failed, expected) in [
            (limits.permits_taken(), Code::Unavailable),
            (crate::fair_semaphore::QueueFull.into(), Code::Unavailable),
            (limits.memory_exceeded("a sort"), Code::ResourceExhausted),
            (limits.rows_exceeded(), Code::ResourceExhausted),
            (limits.time_exceeded(), Code::DeadlineExceeded),
        ] {
            assert_eq!(from_error(failed).code(), expected);
        }
    }
}
