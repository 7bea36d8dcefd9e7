//! The check of the tokens of people and tools ([`AccessTokens`]).

use super::principal::Principal;
use crate::http::error::ApiError;
use crate::security::{AccessTokens, TokenOwner, TokenRole};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use std::sync::Arc;
use tokio::sync::watch;

/// The check of people and tools.
pub(in crate::http) struct PersonCheck {
    /// The tokens that are valid now. `None` without `cluster.tokens-file`.
    tokens: Option<watch::Receiver<Arc<AccessTokens>>>,
}

/// The scheme in which a client sends a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// `Authorization: Bearer TOKEN`.
    Bearer,
    /// `Authorization: Basic`, with the token as the password. The user name does not matter. A
    /// browser asks its user for such credentials, and then sends them with each request, also with
    /// one that a page of another site causes.
    Basic,
}

/// The token of a request.
pub(super) struct SentToken {
    pub(super) scheme: Scheme,
    text: String,
}

impl PersonCheck {
    pub(in crate::http) fn new(tokens: Option<watch::Receiver<Arc<AccessTokens>>>) -> PersonCheck {
        PersonCheck { tokens }
    }

    /// Returns whether people can prove who they are.
    pub(super) fn is_on(&self) -> bool {
        self.tokens.is_some()
    }

    /// Returns the token of a request, or `None` if the request has none, or if this node has no
    /// tokens. Other schemes than Bearer and Basic are ignored, because an engine may send one of
    /// them to every server.
    ///
    /// # Errors
    /// 401 if there are several tokens, or if the header is malformed.
    pub(super) fn sent(&self, headers: &HeaderMap) -> Result<Option<SentToken>, ApiError> {
        if !self.is_on() {
            return Ok(None);
        }
        let mut values = headers.get_all(AUTHORIZATION).into_iter();
        let (Some(value), more) = (values.next(), values.next()) else {
            return Ok(None);
        };
        if more.is_some() {
            return Err(invalid("a request may have only one"));
        }
        let text = value.to_str().map_err(|_| invalid("it is not text"))?;
        let (scheme, credentials) = text.trim().split_once(' ').unwrap_or((text, ""));
        let credentials = credentials.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            let (scheme, text) = (Scheme::Bearer, credentials.to_owned());
            return Ok(Some(SentToken { scheme, text }));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Ok(None);
        }
        let decoded = STANDARD.decode(credentials).ok();
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let password = decoded
            .as_deref()
            .and_then(|decoded| decoded.split_once(':'))
            .map(|(_, password)| password.to_owned());
        let (scheme, text) = (
            Scheme::Basic,
            password.ok_or_else(|| invalid("it is malformed"))?,
        );
        Ok(Some(SentToken { scheme, text }))
    }

    /// Checks that a token is valid and has at least the role `needed`.
    ///
    /// # Errors
    /// 401 if the token is missing or unknown; 403 if its role does not suffice.
    pub(super) fn check(
        &self,
        sent: Option<SentToken>,
        needed: TokenRole,
    ) -> Result<Principal, ApiError> {
        let Some(sent) = sent else {
            return Err(ApiError::Unauthenticated(format!(
                "This needs a token with the role {} (Authorization: Bearer TOKEN)",
                needed.name()
            )));
        };
        let tokens = self.tokens.as_ref().map(|tokens| tokens.borrow().clone());
        let owner = tokens.as_ref().and_then(|tokens| tokens.owner(&sent.text));
        let Some(TokenOwner { name, role }) = owner else {
            return Err(invalid(
                "the token is not in cluster.tokens-file of this node",
            ));
        };
        if *role < needed {
            return Err(ApiError::Forbidden(format!(
                "The token of {name} has the role {}, and this needs {}",
                role.name(),
                needed.name()
            )));
        }
        Ok(Principal::Token(name.clone()))
    }
}

fn invalid(reason: &str) -> ApiError {
    ApiError::Unauthenticated(format!("Authorization: {reason}"))
}
