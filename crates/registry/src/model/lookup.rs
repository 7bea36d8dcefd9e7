//! What is looked up.

/// What a lookup asks for.
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
