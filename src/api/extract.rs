//! Body, path and query as the routes take them. What does not fit is answered as problem details, like everything else.
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;

use super::{body::LIMIT, problem::Problem};

/// The whole body, at most [`LIMIT`] bytes.
#[derive(Debug)]
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Bytes::from_request(request, state).await.map(Self).map_err(|refused| {
            if refused.status() == StatusCode::PAYLOAD_TOO_LARGE {
                let detail = format!("the body is longer than {LIMIT} bytes, which no count needs");
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_long", detail)
            } else {
                Problem::bad_request("body", "the body did not come whole: send it again")
            }
        })
    }
}

/// Parts of the path.
#[derive(Debug)]
pub struct InPath<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(found)| Self(found))
            .map_err(|refused| Problem::bad_request("path", format!("this path cannot be read: {}", refused.body_text())))
    }
}

/// What stands behind the question mark.
#[derive(Debug)]
pub struct InQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|Query(found)| Self(found))
            .map_err(|refused| Problem::bad_request("query", format!("this query cannot be read: {}", refused.body_text())))
    }
}
