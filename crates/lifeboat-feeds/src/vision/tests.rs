//! Tests of the Vision feed.
