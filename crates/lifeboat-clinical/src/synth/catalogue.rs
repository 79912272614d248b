//! What general practice records: problems with their medicines and tests, vaccines, allergies.
//!
//! SNOMED CT codes are those of the terms. Medicines carry names and strengths as the NHS dictionary
//! writes them, with codes that are made up (they begin with 9999), since no prescription follows.

/// A problem and what usually comes with it.
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) term: &'static str,
    pub(crate) ages: std::ops::Range<i64>,
    /// Chance in a hundred at those ages.
    pub(crate) percent: u64,
    /// Says that it lasts; others are in the past.
    pub(crate) chronic: bool,
    pub(crate) medicines: &'static [usize],
    pub(crate) tests: &'static [usize],
}

/// A medicine with the usual directions.
#[derive(Clone, Copy)]
pub(crate) struct Medicine {
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) doses: &'static [&'static str],
    pub(crate) quantity: (&'static str, &'static str),
    pub(crate) days: u32,
}

/// A laboratory test.
#[derive(Clone, Copy)]
pub(crate) struct Test {
    pub(crate) code: &'static str,
    pub(crate) term: &'static str,
    pub(crate) unit: &'static str,
    /// The reference range in units of `10^-places`.
    pub(crate) range: (i64, i64),
    /// The values that occur, in the same units.
    pub(crate) values: (i64, i64),
    pub(crate) places: u32,
}

/// An allergy or intolerance.
#[derive(Clone, Copy)]
pub(crate) struct Allergy {
    pub(crate) code: &'static str,
    pub(crate) term: &'static str,
    pub(crate) category: &'static str,
    pub(crate) reactions: &'static [(&'static str, &'static str)],
}

const fn problem(
    code: &'static str,
    term: &'static str,
    ages: std::ops::Range<i64>,
    percent: u64,
    medicines: &'static [usize],
    tests: &'static [usize],
) -> Problem {
    Problem { code, term, ages, percent, chronic: true, medicines, tests }
}

const fn episode(
    code: &'static str,
    term: &'static str,
    ages: std::ops::Range<i64>,
    percent: u64,
    medicines: &'static [usize],
) -> Problem {
    Problem { code, term, ages, percent, chronic: false, medicines, tests: &[] }
}

const fn medicine(
    code: &'static str,
    name: &'static str,
    doses: &'static [&'static str],
    quantity: (&'static str, &'static str),
    days: u32,
) -> Medicine {
    Medicine { code, name, doses, quantity, days }
}

const fn test(
    code: &'static str,
    term: &'static str,
    unit: &'static str,
    range: (i64, i64),
    values: (i64, i64),
    places: u32,
) -> Test {
    Test { code, term, unit, range, values, places }
}

pub(crate) const PROBLEMS: &[Problem] = &[
    problem("59621000", "Essential hypertension", 40..110, 34, &[0, 1, 19], &[1, 2, 3, 4]),
    problem("44054006", "Type 2 diabetes mellitus", 35..110, 12, &[2, 3, 4], &[0, 1, 2, 8]),
    problem("46635009", "Type 1 diabetes mellitus", 5..60, 1, &[24], &[0, 1]),
    problem("195967001", "Asthma", 4..80, 11, &[5, 6], &[]),
    problem("13645005", "Chronic obstructive pulmonary disease", 50..100, 6, &[5, 7], &[5]),
    problem("49436004", "Atrial fibrillation", 60..105, 8, &[8, 9, 23], &[13]),
    problem("414545008", "Ischaemic heart disease", 50..105, 9, &[4, 9, 10, 22], &[8]),
    problem("433144002", "Chronic kidney disease stage 3", 60..105, 14, &[1], &[1, 2, 3]),
    problem("40930008", "Hypothyroidism", 25..105, 6, &[11], &[11]),
    problem("35489007", "Depressive disorder", 16..100, 12, &[12, 13], &[]),
    problem("197480006", "Anxiety disorder", 14..100, 9, &[12], &[]),
    problem("84757009", "Epilepsy", 5..100, 2, &[14], &[9]),
    problem("396275006", "Osteoarthritis", 50..105, 17, &[15, 16], &[]),
    problem("64859006", "Osteoporosis", 60..105, 7, &[17, 18], &[10]),
    problem("52448006", "Dementia", 70..105, 8, &[20], &[]),
    problem("235595009", "Gastro-oesophageal reflux disease", 20..105, 10, &[21], &[]),
    problem("43116000", "Eczema", 0..60, 9, &[25], &[]),
    problem("61582004", "Allergic rhinitis", 6..70, 9, &[26], &[]),
    problem("37796009", "Migraine", 12..65, 7, &[27], &[]),
    problem("87522002", "Iron deficiency anaemia", 16..100, 5, &[28], &[5, 12]),
    problem("69896004", "Rheumatoid arthritis", 30..95, 1, &[29], &[5, 6, 7, 9, 14]),
    problem("90560007", "Gout", 40..100, 3, &[30], &[3]),
    episode("68566005", "Urinary tract infection", 2..105, 14, &[31]),
    episode("54150009", "Upper respiratory infection", 0..90, 22, &[]),
    episode("65363002", "Otitis media", 0..14, 25, &[32]),
    episode("43878008", "Streptococcal sore throat", 3..40, 9, &[33]),
    episode("10509002", "Acute bronchitis", 16..105, 11, &[34]),
    episode("233604007", "Pneumonia", 50..105, 3, &[32, 34]),
    episode("65966004", "Fracture of forearm", 5..100, 6, &[15]),
    episode("254837009", "Malignant neoplasm of breast", 40..100, 2, &[]),
    episode("22298006", "Myocardial infarction", 50..105, 4, &[]),
    episode("230690007", "Cerebrovascular accident", 55..105, 4, &[]),
    episode("85189001", "Acute appendicitis", 8..60, 4, &[]),
    episode("38907003", "Varicella", 1..12, 18, &[]),
];

pub(crate) const MEDICINES: &[Medicine] = &[
    medicine(
        "9999000001",
        "Amlodipine 5mg tablets",
        &["One To Be Taken Each Day", "1 om"],
        ("28", "tablet"),
        28,
    ),
    medicine("9999000002", "Ramipril 5mg capsules", &["One To Be Taken Each Day"], ("28", "capsule"), 28),
    medicine(
        "9999000003",
        "Metformin 500mg modified-release tablets",
        &["TWO to be taken twice a day with meals", "Take one with breakfast and two with evening meal"],
        ("112", "tablet"),
        28,
    ),
    medicine("9999000004", "Gliclazide 80mg tablets", &["Half a tablet twice a day"], ("28", "tablet"), 28),
    medicine("9999000005", "Atorvastatin 20mg tablets", &["One To Be Taken At Night"], ("28", "tablet"), 28),
    medicine(
        "9999000006",
        "Salbutamol 100micrograms/dose inhaler CFC free",
        &["Inhale 2 puffs up to four times a day when required"],
        ("200", "dose"),
        56,
    ),
    medicine(
        "9999000007",
        "Beclometasone 100micrograms/dose inhaler CFC free",
        &["2 puffs bd, rinse mouth after use"],
        ("200", "dose"),
        50,
    ),
    medicine(
        "9999000008",
        "Tiotropium bromide 2.5micrograms/dose inhalation solution cartridge with device CFC free",
        &["Inhale 2 puffs once a day"],
        ("60", "dose"),
        30,
    ),
    medicine("9999000009", "Apixaban 5mg tablets", &["One To Be Taken Twice A Day"], ("56", "tablet"), 28),
    medicine(
        "9999000010",
        "Bisoprolol 2.5mg tablets",
        &["One To Be Taken Each Morning"],
        ("28", "tablet"),
        28,
    ),
    medicine(
        "9999000011",
        "Aspirin 75mg dispersible tablets",
        &["One daily with food"],
        ("28", "tablet"),
        28,
    ),
    medicine(
        "9999000012",
        "Levothyroxine sodium 50microgram tablets",
        &["One To Be Taken Each Day", "1½ tablets alternate days"],
        ("28", "tablet"),
        28,
    ),
    medicine("9999000013", "Sertraline 50mg tablets", &["One To Be Taken Each Day"], ("28", "tablet"), 28),
    medicine("9999000014", "Mirtazapine 15mg tablets", &["One To Be Taken At Night"], ("28", "tablet"), 28),
    medicine(
        "9999000015",
        "Lamotrigine 100mg tablets",
        &["One To Be Taken Twice A Day - do NOT change brand"],
        ("56", "tablet"),
        28,
    ),
    medicine(
        "9999000016",
        "Paracetamol 500mg tablets",
        &["Take 2 up to 4 times/day, max 8 tablets in 24 hours"],
        ("100", "tablet"),
        13,
    ),
    medicine("9999000017", "Naproxen 250mg tablets", &["1 or 2 bd with food prn"], ("56", "tablet"), 14),
    medicine(
        "9999000018",
        "Alendronic acid 70mg tablets",
        &["One To Be Taken Weekly on the same day (with <200 ml water, remain upright)"],
        ("4", "tablet"),
        28,
    ),
    medicine(
        "9999000019",
        "Colecalciferol 800unit / Calcium carbonate 1.5g chewable tablets",
        &["One To Be Chewed Each Day"],
        ("30", "tablet"),
        30,
    ),
    medicine("9999000020", "Indapamide 2.5mg tablets", &["One each morning"], ("28", "tablet"), 28),
    medicine("9999000021", "Donepezil 10mg tablets", &["One To Be Taken At Night"], ("28", "tablet"), 28),
    medicine(
        "9999000022",
        "Omeprazole 20mg gastro-resistant capsules",
        &["1 od a.c."],
        ("28", "capsule"),
        28,
    ),
    medicine(
        "9999000023",
        "Glyceryl trinitrate 400micrograms/dose pump sublingual spray",
        &["1-2 sprays under the tongue when required, call 999 if pain persists"],
        ("180", "dose"),
        90,
    ),
    medicine(
        "9999000024",
        "Warfarin 1mg tablets",
        &["As directed by anticoagulant clinic, see yellow book"],
        ("56", "tablet"),
        28,
    ),
    medicine(
        "9999000025",
        "NovoRapid FlexPen 100units/ml solution for injection 3ml pre-filled pens",
        &["6-10 units with meals"],
        ("5", "pre-filled disposable injection"),
        28,
    ),
    medicine(
        "9999000026",
        "Hydrocortisone 1% cream",
        &["Apply THINLY twice a day for up to 7 days"],
        ("30", "gram"),
        7,
    ),
    medicine("9999000027", "Cetirizine 10mg tablets", &["One To Be Taken Each Day"], ("30", "tablet"), 30),
    medicine(
        "9999000028",
        "Sumatriptan 50mg tablets",
        &["1 at onset, may repeat after 2h"],
        ("6", "tablet"),
        28,
    ),
    medicine("9999000029", "Ferrous fumarate 210mg tablets", &["One daily"], ("84", "tablet"), 84),
    medicine(
        "9999000030",
        "Methotrexate 2.5mg tablets",
        &["SIX tablets (15mg) ONCE A WEEK on the same day. Not on folic acid day"],
        ("24", "tablet"),
        28,
    ),
    medicine("9999000031", "Allopurinol 100mg tablets", &["One To Be Taken Each Day"], ("28", "tablet"), 28),
    medicine(
        "9999000032",
        "Nitrofurantoin 100mg modified-release capsules",
        &["One To Be Taken Twice A Day"],
        ("6", "capsule"),
        3,
    ),
    medicine(
        "9999000033",
        "Amoxicillin 250mg/5ml oral suspension sugar free",
        &["5ml three times a day for 5 days"],
        ("100", "ml"),
        5,
    ),
    medicine(
        "9999000034",
        "Phenoxymethylpenicillin 250mg tablets",
        &["TWO to be taken four times a day"],
        ("40", "tablet"),
        5,
    ),
    medicine(
        "9999000035",
        "Doxycycline 100mg capsules",
        &["TWO now then ONE daily for 4 days"],
        ("6", "capsule"),
        5,
    ),
];

pub(crate) const TESTS: &[Test] = &[
    test("999791000000106", "Haemoglobin A1c level - IFCC standardised", "mmol/mol", (20, 41), (31, 98), 0),
    test("1020291000000106", "GFR calculated abbreviated MDRD", "mL/min/1.73m*2", (60, 120), (28, 110), 0),
    test("1000651000000109", "Serum potassium level", "mmol/L", (35, 53), (31, 58), 1),
    test("1000731000000107", "Serum creatinine level", "umol/L", (49, 104), (42, 190), 0),
    test("1000661000000107", "Serum sodium level", "mmol/L", (133, 146), (124, 149), 0),
    test("1022431000000105", "Haemoglobin concentration", "g/L", (115, 165), (82, 171), 0),
    test("1022541000000102", "Total white cell count", "10*9/L", (400, 1100), (210, 1450), 2),
    test("1022651000000100", "Platelet count - observation", "10*9/L", (150, 400), (92, 520), 0),
    test("1005671000000105", "Serum cholesterol level", "mmol/L", (0, 50), (29, 82), 1),
    test("1018251000000107", "Serum alanine aminotransferase level", "U/L", (0, 40), (9, 130), 0),
    test("1000691000000101", "Serum calcium level", "mmol/L", (220, 260), (205, 282), 2),
    test("1022791000000101", "Serum TSH level", "mU/L", (27, 420), (5, 1250), 2),
    test("993381000000106", "Serum ferritin level", "ug/L", (10, 200), (4, 310), 0),
    test("440685005", "Calculation of international normalised ratio", "{INR}", (20, 30), (10, 51), 1),
    test("1001371000000100", "Serum C reactive protein level", "mg/L", (0, 50), (1, 900), 1),
];

pub(crate) const ALLERGIES: &[Allergy] = &[
    Allergy {
        code: "91936005",
        term: "Allergy to penicillin",
        category: "medication",
        reactions: &[
            ("271807003", "Eruption of skin"),
            ("39579001", "Anaphylaxis"),
            ("126485001", "Urticaria"),
        ],
    },
    Allergy {
        code: "294505008",
        term: "Allergy to amoxicillin",
        category: "medication",
        reactions: &[("271807003", "Eruption of skin")],
    },
    Allergy {
        code: "293586001",
        term: "Allergy to aspirin",
        category: "medication",
        reactions: &[("4386001", "Bronchospasm"), ("41291007", "Angioedema")],
    },
    Allergy {
        code: "91939003",
        term: "Allergy to sulfonamide",
        category: "medication",
        reactions: &[("73442001", "Stevens-Johnson syndrome"), ("271807003", "Eruption of skin")],
    },
    Allergy {
        code: "293963004",
        term: "Angiotensin-converting-enzyme inhibitor adverse reaction",
        category: "medication",
        reactions: &[("11833005", "Dry cough")],
    },
    Allergy {
        code: "91935009",
        term: "Allergy to peanut",
        category: "food",
        reactions: &[("39579001", "Anaphylaxis")],
    },
    Allergy {
        code: "300916003",
        term: "Latex allergy",
        category: "environment",
        reactions: &[("40275004", "Contact dermatitis")],
    },
    Allergy {
        code: "424213003",
        term: "Allergy to bee venom",
        category: "environment",
        reactions: &[("41291007", "Angioedema"), ("39579001", "Anaphylaxis")],
    },
];

/// Vaccines: code, term, part, the age in years from which they are given.
pub(crate) const VACCINES: &[(&str, &str, u32, i64)] = &[
    (
        "1082441000000108",
        "First diphtheria, tetanus, pertussis, polio, Hib and hepatitis B vaccination",
        1,
        0,
    ),
    (
        "1082451000000106",
        "Second diphtheria, tetanus, pertussis, polio, Hib and hepatitis B vaccination",
        2,
        0,
    ),
    ("38598009", "Measles, mumps and rubella vaccination", 1, 1),
    ("1324681000000101", "Administration of first dose of SARS-CoV-2 vaccine", 1, 16),
    ("1324691000000104", "Administration of second dose of SARS-CoV-2 vaccine", 2, 16),
    ("86198006", "Administration of vaccine product containing only Influenza virus antigen", 1, 50),
    ("12866006", "Administration of vaccine product containing only Streptococcus pneumoniae antigen", 1, 65),
    (
        "722215002",
        "Administration of vaccine product containing only Human alphaherpesvirus 3 antigen",
        1,
        70,
    ),
];

/// Procedures: code, term, youngest age.
pub(crate) const PROCEDURES: &[(&str, &str, i64)] = &[
    ("80146002", "Appendicectomy", 10),
    ("173171007", "Tonsillectomy", 4),
    ("179344006", "Total hip replacement", 60),
    ("110473004", "Cataract surgery", 65),
    ("11466000", "Caesarean section", 22),
    ("73761001", "Colonoscopy", 45),
    ("65801008", "Excision of skin lesion", 30),
    ("38102005", "Cholecystectomy", 35),
];

/// Consultations: reason and what was written.
pub(crate) const CONSULTATIONS: &[(&str, &str)] = &[
    ("Cough", "3/7 hx productive cough, no haemoptysis. Chest clear, SpO2 98% on air. Safety-netted."),
    (
        "Medication review",
        "Compliant, no side effects reported. BP at target. Continue; review in 12 months.",
    ),
    (
        "Low back pain",
        "No red flags, SLR >60° both sides. Advised to keep active; physio self-referral link sent.",
    ),
    ("Diabetic foot check", "Pulses present L+R, 10g monofilament 10/10, low risk. Re-screen 1y."),
    ("Rash", "Itchy papules on forearms, ?contact dermatitis. Emollient + 1% hydrocortisone bd, 7/7."),
    (
        "Telephone triage",
        "Spoke to patient's daughter (consent on file). Stable; F2F booked for tomorrow a.m.",
    ),
    ("Low mood", "PHQ-9 14/27. No thoughts of self-harm. Discussed talking therapies & SSRI; r/v 2/52."),
    ("Abdominal pain", "RIF tender, no guarding, urine dip NAD. If worse -> A&E."),
    ("Blood pressure check", "Home readings av. 138/84 over 7/7. No change."),
    ("Wound care", "Suture line clean & dry, 5 × 4-0 nylon removed; dressing applied."),
];

/// Reasons for which appointments are booked.
pub(crate) const VISIT_REASONS: &[&str] = &[
    "Follow-up of blood tests",
    "Cough for 3 weeks",
    "Medication review",
    "Cervical screening",
    "Asthma review",
    "Baby immunisations",
    "Knee pain",
    "Dressing change",
    "Low mood",
    "Repeat prescription query",
    "Rash",
    "INR check",
    "Headaches & dizziness",
    "Post-natal check",
];
