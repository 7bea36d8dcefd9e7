//! Replays recorded cases against a server, in order and with a new connection for each, and
//! compares every answer in full.

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Timeout of a case. It is far longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

/// A case: a request and its expected answer.
#[derive(Deserialize)]
pub struct Case {
    name: String,
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    /// The answer that airlift's server gave, or that the rules require.
    #[serde(alias = "airlift")]
    answer: Expected,
}

/// The expected answer. An absent field is not compared, with two exceptions. An answer without an
/// expected `consistency` must not have a Quorate-Consistency header. An answer with an expected
/// `json`, but no expected `content_encoding`, must not have a Content-Encoding header.
#[derive(Deserialize)]
struct Expected {
    status: u16,
    content_type: Option<String>,
    content_encoding: Option<String>,
    consistency: Option<String>,
    allow: Option<Vec<String>>,
    json: Option<Value>,
    text: Option<String>,
    location: Option<String>,
}

/// A received answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body, decompressed if it was sent with gzip.
    pub body: Vec<u8>,
}

/// Parses a file of cases.
pub fn cases(json: &str) -> Vec<Case> {
    serde_json::from_str::<File>(json)
        .expect("a file of cases")
        .cases
}

/// The server of a replay, and what its clients add to each case.
pub struct ReplayTarget<'a> {
    pub server: SocketAddr,
    /// The scheme of the server's addresses.
    pub scheme: &'a str,
    /// Additional header lines. Each line includes its line end.
    pub headers: &'a str,
}

/// Runs the cases in order, and returns one line for each difference to the expected answers.
pub fn replay(target: &ReplayTarget<'_>, cases: &[Case]) -> Vec<String> {
    let mut drawn_ids = BTreeMap::new();
    let mut differences = Vec::new();
    for case in cases {
        let answer = ask(target.server, &request(target, case));
        if let Err(difference) = compare(target, case, &answer, &mut drawn_ids) {
            differences.push(format!("{}: {difference}; {answer:?}", case.name));
        }
    }
    differences
}

fn request(target: &ReplayTarget<'_>, case: &Case) -> Vec<u8> {
    let mut head = format!(
        "{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}",
        case.method, case.path, target.server, target.headers
    );
    for (name, value) in &case.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if let Some(body) = &case.body {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    head += "\r\n";
    head += case.body.as_deref().unwrap_or("");
    head.into_bytes()
}

/// Sends bytes on a new connection, and reads the answer until the server closes the connection.
pub fn ask(server: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(server).expect("the server listens");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a time limit");
    stream.write_all(request).expect("the server reads");
    let mut bytes = Vec::new();
    stream
        .read_to_end(&mut bytes)
        .expect("a whole answer in time");
    parse(&bytes)
}

/// Parses an answer.
pub fn parse(bytes: &[u8]) -> Answer {
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a whole head");
    let head = std::str::from_utf8(&bytes[..end]).expect("a head of text");
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok())
        .expect("a status line");
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut body = bytes[end + 4..].to_vec();
    if headers
        .get("content-encoding")
        .is_some_and(|coding| coding == "gzip")
        && !body.is_empty()
    {
        let mut inflated = Vec::new();
        GzDecoder::new(body.as_slice())
            .read_to_end(&mut inflated)
            .expect("gzip");
        body = inflated;
    }
    Answer {
        status,
        headers,
        body,
    }
}

fn compare(
    target: &ReplayTarget<'_>,
    case: &Case,
    answer: &Answer,
    drawn_ids: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    let expected = &case.answer;
    // The one deliberate difference from airlift is the status of some client errors, for which
    // airlift answers 500 and quorate 400.
    let status = if expected.status == 500 {
        400
    } else {
        expected.status
    };
    same("status", &status, &answer.status)?;
    let header = |name: &str| answer.headers.get(name).cloned();
    if let Some(content_type) = &expected.content_type {
        same(
            "content type",
            &Some(content_type.clone()),
            &header("content-type"),
        )?;
    }
    if expected.content_encoding.is_some() || expected.json.is_some() {
        same(
            "content encoding",
            &expected.content_encoding,
            &header("content-encoding"),
        )?;
    }
    same(
        "consistency",
        &expected.consistency,
        &header("quorate-consistency"),
    )?;
    if let Some(allow) = &expected.allow {
        same("allow", &Some(allow.join(", ")), &header("allow"))?;
    }
    if (200..300).contains(&status) {
        acknowledges(case, answer)?;
    } else if case.method != "HEAD" {
        one_line_of_text(answer)?;
    }
    if let Some(text) = &expected.text {
        same(
            "text",
            text,
            &String::from_utf8_lossy(&answer.body).trim_end().to_owned(),
        )?;
    }
    let Some(json) = &expected.json else {
        return Ok(());
    };
    let given: Value = serde_json::from_slice(&answer.body)
        .map_err(|error| format!("the body is no JSON: {error}"))?;
    if let Some(location) = &expected.location {
        let (recorded, drawn) = (text_of(json, "id"), text_of(&given, "id"));
        let path = location
            .split_once("/v1/")
            .map_or("", |(_, path)| path)
            .replace(&recorded, &drawn);
        same(
            "location",
            &Some(format!("{}://{}/v1/{path}", target.scheme, target.server)),
            &header("location"),
        )?;
        drawn_ids.insert(recorded, drawn);
    }
    same(
        "json",
        &normal(json, drawn_ids),
        &normal(&given, &BTreeMap::new()),
    )
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, given: &T) -> Result<(), String> {
    if expected == given {
        Ok(())
    } else {
        Err(format!("{what} should be {expected:?}, is {given:?}"))
    }
}

/// Checks that an answer carries the log index of the state that a lookup saw, or of the entry that
/// a write made.
fn acknowledges(case: &Case, answer: &Answer) -> Result<(), String> {
    if case.method == "OPTIONS" || case.path.starts_with("/v1/cluster") {
        return Ok(());
    }
    let index: Option<u64> = answer
        .headers
        .get("quorate-index")
        .and_then(|index| index.parse().ok());
    index
        .map(|_| ())
        .ok_or_else(|| "there is no Quorate-Index".to_owned())
}

fn one_line_of_text(answer: &Answer) -> Result<(), String> {
    let body = String::from_utf8_lossy(&answer.body);
    let one_line = body.len() > 1 && body.find('\n') == Some(body.len() - 1);
    let text = answer
        .headers
        .get("content-type")
        .is_some_and(|content_type| content_type.starts_with("text/plain"));
    if one_line && text {
        Ok(())
    } else {
        Err("a refusal is one line of text".to_owned())
    }
}

fn text_of(json: &Value, field: &str) -> String {
    json[field].as_str().unwrap_or("").to_owned()
}

/// Returns JSON in a form that can be compared. Services are sorted by id, because they are a set.
/// Recorded ids are replaced by the ids that this server has generated.
fn normal(json: &Value, drawn_ids: &BTreeMap<String, String>) -> Value {
    let mut json = json.clone();
    let rename = |service: &mut Value| {
        if let Some(drawn) = drawn_ids.get(&text_of(service, "id")) {
            service["id"] = Value::from(drawn.as_str());
        }
    };
    rename(&mut json);
    if let Some(services) = json.get_mut("services").and_then(Value::as_array_mut) {
        services.iter_mut().for_each(rename);
        services.sort_by_key(|service| text_of(service, "id"));
    }
    json
}
