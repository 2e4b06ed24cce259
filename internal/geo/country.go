package geo

import (
	"strings"
	"sync"
)

// countryNames lists ISO 3166-1 alpha-2 codes with the English names under which files
// speak of them, the usual one first.
const countryNames = `
AD Andorra
AE United Arab Emirates
AF Afghanistan
AG Antigua and Barbuda
AI Anguilla
AL Albania
AM Armenia
AO Angola
AQ Antarctica
AR Argentina
AS American Samoa
AT Austria
AU Australia
AW Aruba
AX Åland Islands
AZ Azerbaijan
BA Bosnia and Herzegovina|Bosnia and Herzegowina|Bosnia
BB Barbados
BD Bangladesh
BE Belgium
BF Burkina Faso
BG Bulgaria
BH Bahrain
BI Burundi
BJ Benin
BL Saint Barthélemy
BM Bermuda
BN Brunei|Brunei Darussalam
BO Bolivia|Bolivia Plurinational State of
BQ Caribbean Netherlands|Bonaire|Bonaire Sint Eustatius and Saba
BR Brazil
BS Bahamas
BT Bhutan
BV Bouvet Island
BW Botswana
BY Belarus
BZ Belize
CA Canada
CC Cocos Islands
CD Democratic Republic of the Congo|Congo the Democratic Republic of the|DR Congo
CF Central African Republic
CG Congo|Republic of the Congo
CH Switzerland
CI Côte d'Ivoire|Ivory Coast
CK Cook Islands
CL Chile
CM Cameroon
CN China
CO Colombia
CR Costa Rica
CU Cuba
CV Cape Verde|Cabo Verde
CW Curaçao
CX Christmas Island
CY Cyprus
CZ Czechia|Czech Republic
DE Germany
DJ Djibouti
DK Denmark
DM Dominica
DO Dominican Republic
DZ Algeria
EC Ecuador
EE Estonia
EG Egypt
EH Western Sahara
ER Eritrea
ES Spain
ET Ethiopia
FI Finland
FJ Fiji
FK Falkland Islands
FM Micronesia|Micronesia Federated States of
FO Faroe Islands
FR France
GA Gabon
GB United Kingdom|Great Britain|UK
GD Grenada
GE Georgia
GF French Guiana
GG Guernsey
GH Ghana
GI Gibraltar
GL Greenland
GM Gambia
GN Guinea
GP Guadeloupe
GQ Equatorial Guinea
GR Greece
GS South Georgia and the South Sandwich Islands
GT Guatemala
GU Guam
GW Guinea-Bissau
GY Guyana
HK Hong Kong
HM Heard Island and McDonald Islands
HN Honduras
HR Croatia
HT Haiti
HU Hungary
ID Indonesia
IE Ireland|EIRE
IL Israel
IM Isle of Man
IN India
IO British Indian Ocean Territory
IQ Iraq
IR Iran|Iran Islamic Republic of
IS Iceland
IT Italy
JE Jersey
JM Jamaica
JO Jordan
JP Japan
KE Kenya
KG Kyrgyzstan
KH Cambodia
KI Kiribati
KM Comoros
KN Saint Kitts and Nevis
KP North Korea|Korea Democratic People's Republic of
KR South Korea|Korea Republic of|Korea
KW Kuwait
KY Cayman Islands
KZ Kazakhstan
LA Laos|Lao People's Democratic Republic
LB Lebanon
LC Saint Lucia
LI Liechtenstein
LK Sri Lanka
LR Liberia
LS Lesotho
LT Lithuania
LU Luxembourg
LV Latvia
LY Libya|Libyan Arab Jamahiriya
MA Morocco
MC Monaco
MD Moldova|Moldova Republic of
ME Montenegro
MF Saint Martin
MG Madagascar
MH Marshall Islands
MK North Macedonia|Macedonia|Macedonia the former Yugoslav Republic of
ML Mali
MM Myanmar|Burma
MN Mongolia
MO Macao|Macau
MP Northern Mariana Islands
MQ Martinique
MR Mauritania
MS Montserrat
MT Malta
MU Mauritius
MV Maldives
MW Malawi
MX Mexico
MY Malaysia
MZ Mozambique
NA Namibia
NC New Caledonia
NE Niger
NF Norfolk Island
NG Nigeria
NI Nicaragua
NL Netherlands
NO Norway
NP Nepal
NR Nauru
NU Niue
NZ New Zealand
OM Oman
PA Panama
PE Peru
PF French Polynesia
PG Papua New Guinea
PH Philippines
PK Pakistan
PL Poland
PM Saint Pierre and Miquelon
PN Pitcairn
PR Puerto Rico
PS Palestine|Palestinian Territory Occupied|Palestine State of
PT Portugal
PW Palau
PY Paraguay
QA Qatar
RE Réunion
RO Romania
RS Serbia
RU Russia|Russian Federation
RW Rwanda
SA Saudi Arabia
SB Solomon Islands
SC Seychelles
SD Sudan
SE Sweden
SG Singapore
SH Saint Helena Ascension and Tristan da Cunha|Saint Helena
SI Slovenia
SJ Svalbard and Jan Mayen
SK Slovakia
SL Sierra Leone
SM San Marino
SN Senegal
SO Somalia
SR Suriname
SS South Sudan
ST Sao Tome and Principe
SV El Salvador
SX Sint Maarten
SY Syria|Syrian Arab Republic
SZ Eswatini|Swaziland
TC Turks and Caicos Islands
TD Chad
TF French Southern Territories
TG Togo
TH Thailand
TJ Tajikistan
TK Tokelau
TL Timor-Leste|East Timor
TM Turkmenistan
TN Tunisia
TO Tonga
TR Turkey|Türkiye
TT Trinidad and Tobago
TV Tuvalu
TW Taiwan|Taiwan Province of China
TZ Tanzania|Tanzania United Republic of
UA Ukraine
UG Uganda
UM United States Minor Outlying Islands
US United States|United States of America|USA
UY Uruguay
UZ Uzbekistan
VA Vatican City|Holy See
VC Saint Vincent and the Grenadines
VE Venezuela|Venezuela Bolivarian Republic of
VG British Virgin Islands|Virgin Islands (British)
VI U.S. Virgin Islands|Virgin Islands (U.S.)|United States Virgin Islands
VN Vietnam|Viet Nam
VU Vanuatu
WF Wallis and Futuna|Wallis and Futuna Islands
WS Samoa
XK Kosovo
YE Yemen
YT Mayotte
ZA South Africa
ZM Zambia
ZW Zimbabwe
`

// countryIndex maps the folded names and the codes to codes.
var countryIndex = sync.OnceValue(func() map[string]string {
	m := make(map[string]string, 600)
	for line := range strings.Lines(countryNames) {
		code, names, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		m[strings.ToLower(code)] = code
		for name := range strings.SplitSeq(names, "|") {
			m[foldName(name)] = code
		}
	}
	return m
})

// CountryCode returns the ISO 3166-1 alpha-2 code of a country given by its code or
// its English name. Capitals, accents, signs, "the" and "St." do not matter, and what
// stands in parentheses or behind a semicolon is dropped when the whole name is not known.
func CountryCode(name string) (string, bool) {
	if len(name) > 100 {
		return "", false
	}
	index := countryIndex()
	if c, ok := index[foldName(name)]; ok {
		return c, true
	}
	if i := strings.IndexAny(name, "(;,"); i > 0 {
		if c, ok := index[foldName(name[:i])]; ok {
			return c, true
		}
	}
	return "", false
}

// accents folds the letters that occur in countries' names.
var accents = strings.NewReplacer("å", "a", "ã", "a", "é", "e", "í", "i", "ô", "o", "ü", "u", "ç", "c", "&", " and ")

// foldName is a name as the index knows it: small letters only.
func foldName(name string) string {
	words := strings.FieldsFunc(accents.Replace(strings.ToLower(name)), func(r rune) bool { return r < 'a' || r > 'z' })
	var b strings.Builder
	for _, w := range words {
		switch w {
		case "the":
		case "st":
			b.WriteString("saint")
		default:
			b.WriteString(w)
		}
	}
	return b.String()
}

// Country is a code with its usual English name.
type Country struct{ Code, Name string }

// Countries lists every country by code.
func Countries() []Country {
	var out []Country
	for line := range strings.Lines(countryNames) {
		if code, names, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			name, _, _ := strings.Cut(names, "|")
			out = append(out, Country{code, name})
		}
	}
	return out
}
