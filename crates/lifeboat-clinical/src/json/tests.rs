use super::*;

fn json(text: &str) -> Json<'_> {
    Json::parse(text).expect("the test's own JSON")
}

#[test]
fn members_are_found_whatever_their_shape_and_the_last_of_a_repeated_key_counts() {
    let value = json(r#"{"a":1,"b":null,"\u0063":"x\ny","a":[2,null,3],"d":{"e":{"f":"g"}}}"#);
    let [a, b, c, missing] = value.fields(["a", "b", "c", "missing"]);
    assert_eq!(a.map(|a| a.items().len()), Some(2));
    assert_eq!(b, None);
    assert_eq!(c.and_then(Json::string).as_deref(), Some("x\ny"));
    assert_eq!(missing, None);
    assert_eq!(value.path(&["d", "e", "f"]).and_then(Json::string).as_deref(), Some("g"));
    assert_eq!(json("[1]").fields(["a"]), [None]);
    assert_eq!(json("7").items().len(), 1);
    assert_eq!(value.members().len(), 5);
}

#[test]
fn a_value_that_other_readers_refuse_is_named() {
    let deep = format!("{}{}", "[".repeat(60), "]".repeat(60));
    let cases = [
        ("{\"a\":[1,2.5,-3,true,null,\"x\"]}", Ok(())),
        (deep.as_str(), Err(Flaw::TooDeep)),
        ("[1e999]", Err(Flaw::Unreadable)),
        ("\"\\ud83d\"", Err(Flaw::Unreadable)),
        ("\"\\ud83d\\ude00\"", Ok(())),
    ];
    for (text, expected) in cases {
        assert_eq!(check(json(text), 50), expected, "{text}");
    }
}

#[test]
fn halves_of_pairs_are_mended_and_pairs_are_left() {
    let cases = [
        (r#""a\ud83d""#, r#""a\ufffd""#),
        (r#""\uDE00b""#, r#""\ufffdb""#),
        (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
        (r#""\\ud83d""#, r#""\\ud83d""#),
        (r#""\ud83d\u0041""#, r#""\ufffd\u0041""#),
        (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
        ("\"é\\u00e9\"", "\"é\\u00e9\""),
    ];
    for (text, expected) in cases {
        let mended = mend_escapes(text);
        assert_eq!(mended, expected);
        assert_eq!(check(json(&mended), 5), Ok(()));
    }
}

#[test]
fn white_space_between_parts_goes_and_strings_and_numbers_stay() {
    let cases = [
        ("{ \"a b\" : [ 1.0 ,\n\t2 ] }", "{\"a b\":[1.0,2]}"),
        ("{\"a\": \"x \\\" , \\\\\", \"b\":\"\\n\"}", "{\"a\":\"x \\\" , \\\\\",\"b\":\"\\n\"}"),
        ("{\"a\":\"one two\"}", "{\"a\":\"one two\"}"),
    ];
    for (text, expected) in cases {
        assert_eq!(compact(json(text)), expected);
    }
}

#[test]
fn references_are_found_anywhere_and_not_in_text() {
    let value = json(
        r#"{"subject":{"reference" : "Patient/1"},"text":"\"reference\":\"no\"","x":["reference",{"reference":5},{"reference":"a\/b"}]}"#,
    );
    let mut found = Vec::new();
    each_reference(value, |reference| found.push(reference.into_owned()));
    assert_eq!(found, ["Patient/1", "a/b"]);
}

#[test]
fn objects_are_written_with_their_keys_quoted() {
    assert_eq!(object([("a\"b", "1"), ("c", "[]")]), r#"{"a\"b":1,"c":[]}"#);
}
