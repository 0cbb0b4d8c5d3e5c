//! Who may call: a loopback `Host`, no foreign `Origin`, the token. Checked before anything else.
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Doors, problem::Problem};

/// The paths that tell nothing but "alive" and need no token: for supervisors.
const OPEN_PATHS: [&str; 2] = ["/healthz", "/readyz"];

/// The middleware.
pub async fn check(State(doors): State<Arc<Doors>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !host_is_loopback(headers) {
        let detail = "the Host header is not this machine's loopback: call http://127.0.0.1:PORT";
        return Problem::new(StatusCode::MISDIRECTED_REQUEST, "foreign_host", detail).into_response();
    }
    let origin = match allowed_origin(headers, &doors.allowed_origins) {
        Ok(origin) => origin,
        Err(problem) => return problem.into_response(),
    };
    if let (Some(origin), &Method::OPTIONS) = (&origin, request.method()) {
        return with_cors(StatusCode::NO_CONTENT.into_response(), origin);
    }
    let response = if OPEN_PATHS.contains(&request.uri().path()) || doors.token.fits(headers) {
        next.run(request).await
    } else {
        let detail = "send the header `Authorization: Bearer …` with the content of [api] token_file";
        let mut response = Problem::new(StatusCode::UNAUTHORIZED, "token", detail).into_response();
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        response
    };
    // A page that may ask may also read why it was refused.
    match origin {
        Some(origin) => with_cors(response, &origin),
        None => response,
    }
}

/// Against DNS rebinding: a page that resolves its own name to 127.0.0.1 still sends its own name.
fn host_is_loopback(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let in_brackets = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    let ip = match in_brackets {
        Some(bare) => bare.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => name.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    };
    // Any address that `[api] listen` may name, and no name that somebody else's DNS answers for.
    ip.map_or_else(|| name.eq_ignore_ascii_case("localhost"), |ip| ip.to_canonical().is_loopback())
}

fn allowed_origin(headers: &HeaderMap, allowed: &[String]) -> Result<Option<HeaderValue>, Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(None) };
    if allowed.iter().any(|a| a.as_bytes() == origin.as_bytes()) {
        return Ok(Some(origin.clone()));
    }
    let detail = "web pages may not call this, except those named in [api] allowed_origins";
    Err(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", detail))
}

fn with_cors(mut response: Response, origin: &HeaderValue) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, DELETE"));
    let allowed = HeaderValue::from_static("Authorization, Content-Type, Last-Event-ID");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::HOST, HeaderValue::from_str(name).unwrap())])
    }

    #[test]
    fn only_loopback_names_are_hosts() {
        for good in [
            "127.0.0.1",
            "127.0.0.1:8765",
            "localhost:1",
            "[::1]:8765",
            "[::1]",
            "127.0.0.2:8765",
            "LocalHost",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(host_is_loopback(&host(good)), "{good}");
        }
        for bad in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil:80",
            "127.0.0.1:80@evil",
            "",
            "192.168.1.2:8765",
            "127.1",
            "::1",
            "[127.0.0.1]",
            "[::2]",
            "localhost.",
        ] {
            assert!(!host_is_loopback(&host(bad)), "{bad}");
        }
        let mut two = host("127.0.0.1");
        two.append(header::HOST, HeaderValue::from_static("evil.example"));
        assert!(!host_is_loopback(&two));
        assert!(!host_is_loopback(&HeaderMap::new()));
    }

    #[test]
    fn an_origin_must_be_named_exactly() {
        let with = |o: &str| HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_str(o).unwrap())]);
        let allowed = ["https://pos.example".to_owned()];
        assert!(allowed_origin(&HeaderMap::new(), &allowed).unwrap().is_none());
        assert!(allowed_origin(&with("https://pos.example"), &allowed).unwrap().is_some());
        for bad in ["https://pos.example.evil", "http://pos.example", "null", "http://127.0.0.1:8765"] {
            assert!(allowed_origin(&with(bad), &allowed).is_err(), "{bad}");
        }
    }
}
