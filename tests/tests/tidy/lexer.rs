//! Just enough of Rust's grammar to find names and braces: comments, strings, characters and lifetimes are told apart.

/// A piece of Rust source that the rules look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A name or a keyword.
    Word(String),
    /// One character of punctuation.
    Mark(char),
    /// A string, character or number.
    Literal,
}

/// A token and the line on which it starts, counted from 1.
pub(crate) struct Placed {
    /// The line.
    pub(crate) line: usize,
    /// The token.
    pub(crate) token: Token,
}

impl Placed {
    /// Returns whether this is the word `word`.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        matches!(&self.token, Token::Word(own) if own == word)
    }

    /// Returns whether this is the punctuation `mark`.
    pub(crate) fn is_mark(&self, mark: char) -> bool {
        self.token == Token::Mark(mark)
    }

    /// Returns the name, if this is one.
    pub(crate) fn word(&self) -> Option<&str> {
        match &self.token {
            Token::Word(own) => Some(own),
            _ => None,
        }
    }
}

/// Splits Rust source into tokens.
pub(crate) fn tokens(source: &str) -> Vec<Placed> {
    let mut cursor = Cursor { rest: source.chars().collect(), at: 0, line: 1 };
    let mut found = Vec::new();
    while let Some(here) = cursor.peek(0) {
        let line = cursor.line;
        if let Some(token) = cursor.token(here) {
            found.push(Placed { line, token });
        }
    }
    found
}

/// A place in the source.
struct Cursor {
    rest: Vec<char>,
    at: usize,
    line: usize,
}

impl Cursor {
    /// Returns the character `ahead` of the next one.
    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    /// Goes past one character.
    fn step(&mut self) {
        if self.peek(0) == Some('\n') {
            self.line += 1;
        }
        self.at += 1;
    }

    /// Goes past `count` characters.
    fn skip(&mut self, count: usize) {
        (0..count).for_each(|_| self.step());
    }

    /// Goes past one token, white space or comment that starts with `here`.
    fn token(&mut self, here: char) -> Option<Token> {
        match (here, self.peek(1)) {
            ('/', Some('/')) => self.line_comment(),
            ('/', Some('*')) => self.block_comment(),
            ('"', _) => return Some(self.string()),
            ('\'', _) => return self.quote(),
            _ if here.is_whitespace() => self.step(),
            _ if here.is_ascii_digit() => return Some(self.number()),
            _ if here == '_' || here.is_alphabetic() => return Some(self.word()),
            _ => {
                self.step();
                return Some(Token::Mark(here));
            }
        }
        None
    }

    fn line_comment(&mut self) {
        while self.peek(0).is_some_and(|next| next != '\n') {
            self.step();
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => {
                    depth += 1;
                    self.skip(2);
                }
                (Some('*'), Some('/')) => {
                    depth -= 1;
                    self.skip(2);
                    if depth == 0 {
                        return;
                    }
                }
                (Some(_), _) => self.step(),
                (None, _) => return,
            }
        }
    }

    /// Reads a string with escapes, from its opening quote.
    fn string(&mut self) -> Token {
        self.step();
        while let Some(here) = self.peek(0) {
            match here {
                '\\' => self.skip(2),
                '"' => {
                    self.step();
                    break;
                }
                _ => self.step(),
            }
        }
        Token::Literal
    }

    /// Reads a raw string, from its first `#` or its quote.
    fn raw_string(&mut self) -> Token {
        let hashes = (0..).take_while(|ahead| self.peek(*ahead) == Some('#')).count();
        self.skip(hashes + 1);
        while self.peek(0).is_some() {
            let closes = self.peek(0) == Some('"') && (1..=hashes).all(|ahead| self.peek(ahead) == Some('#'));
            self.step();
            if closes {
                self.skip(hashes);
                break;
            }
        }
        Token::Literal
    }

    /// Reads a character, or goes past the quote of a lifetime.
    fn quote(&mut self) -> Option<Token> {
        if self.peek(1) != Some('\\') && self.peek(2) != Some('\'') {
            self.step();
            while self.peek(0).is_some_and(|next| next == '_' || next.is_alphanumeric()) {
                self.step();
            }
            return None;
        }
        self.step();
        while let Some(here) = self.peek(0) {
            self.skip(if here == '\\' { 2 } else { 1 });
            if here == '\'' {
                break;
            }
        }
        Some(Token::Literal)
    }

    fn number(&mut self) -> Token {
        while let Some(next) = self.peek(0) {
            let fraction = next == '.' && self.peek(1).is_some_and(|digit| digit.is_ascii_digit());
            if !(fraction || next == '_' || next.is_alphanumeric()) {
                break;
            }
            self.step();
        }
        Token::Literal
    }

    /// Reads a name, or the string or character that it is the prefix of.
    fn word(&mut self) -> Token {
        let start = self.at;
        while self.peek(0).is_some_and(|next| next == '_' || next.is_alphanumeric()) {
            self.step();
        }
        let word: String = self.rest[start..self.at].iter().collect();
        match (word.as_str(), self.peek(0), self.peek(1)) {
            ("r" | "br" | "cr", Some('"'), _) | ("r" | "br" | "cr", Some('#'), Some('"' | '#')) => {
                self.raw_string()
            }
            ("b" | "c", Some('"'), _) => self.string(),
            ("b", Some('\''), _) => self.quote().unwrap_or(Token::Literal),
            ("r", Some('#'), Some(_)) => {
                self.step();
                self.word()
            }
            _ => Token::Word(word),
        }
    }
}

#[test]
fn comments_strings_characters_and_lifetimes_are_told_apart() {
    let check = |source: &str, expected: &[&str]| {
        let words: Vec<String> =
            tokens(source).iter().filter_map(|placed| placed.word().map(str::to_owned)).collect();
        assert_eq!(words, expected, "in {source:?}");
    };
    check("fn a<'b>(c: &'b str)", &["fn", "a", "c", "str"]);
    check("let q = '\\''; // fn\nx", &["let", "q", "x"]);
    check("let q = b'\"'; y", &["let", "q", "y"]);
    check("/* a /* b */ c */ d", &["d"]);
    check("\"fn { \\\" {\" e", &["e"]);
    check("r##\"a \"# fn \"## f r#\"x\"# br\"\\\" g", &["f", "g"]);
    check("1.5e3..=0xff h r#type", &["h", "type"]);
    let lines: Vec<usize> = tokens("a\n\"x\ny\"\nb").iter().map(|placed| placed.line).collect();
    assert_eq!(lines, [1, 2, 4]);
}
