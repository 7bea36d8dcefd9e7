//! The kinds of lookups.

/// A lookup that a client requests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lookup {
    /// `GET /v1/service`
    All,
    /// `GET /v1/service/{type}`
    Type(String),
    /// `GET /v1/service/{type}/{pool}`
    TypeAndPool(String, String),
    /// `GET /v1/announcement/static`
    Statics,
}
