package csvfile

import (
	"strings"
	"sync"
)

// countryNames are the English short names of ISO 3166-1, in plain letters.
const countryNames = "AD Andorra|AE United Arab Emirates|AF Afghanistan|AG Antigua and Barbuda|AI Anguilla|AL Albania|AM Armenia|AO Angola|" +
	"AQ Antarctica|AR Argentina|AS American Samoa|AT Austria|AU Australia|AW Aruba|AX Aland Islands|AZ Azerbaijan|" +
	"BA Bosnia and Herzegovina|BB Barbados|BD Bangladesh|BE Belgium|BF Burkina Faso|BG Bulgaria|BH Bahrain|BI Burundi|" +
	"BJ Benin|BL Saint Barthelemy|BM Bermuda|BN Brunei|BO Bolivia|BQ Caribbean Netherlands|BR Brazil|BS Bahamas|BT Bhutan|" +
	"BV Bouvet Island|BW Botswana|BY Belarus|BZ Belize|CA Canada|CC Cocos (Keeling) Islands|CD Congo (Kinshasa)|" +
	"CF Central African Republic|CG Congo (Brazzaville)|CH Switzerland|CI Cote d'Ivoire|CK Cook Islands|CL Chile|CM Cameroon|" +
	"CN China|CO Colombia|CR Costa Rica|CU Cuba|CV Cape Verde|CW Curacao|CX Christmas Island|CY Cyprus|CZ Czechia|DE Germany|" +
	"DJ Djibouti|DK Denmark|DM Dominica|DO Dominican Republic|DZ Algeria|EC Ecuador|EE Estonia|EG Egypt|EH Western Sahara|" +
	"ER Eritrea|ES Spain|ET Ethiopia|FI Finland|FJ Fiji|FK Falkland Islands|FM Micronesia|FO Faroe Islands|FR France|GA Gabon|" +
	"GB United Kingdom|GD Grenada|GE Georgia|GF French Guiana|GG Guernsey|GH Ghana|GI Gibraltar|GL Greenland|GM Gambia|" +
	"GN Guinea|GP Guadeloupe|GQ Equatorial Guinea|GR Greece|GS South Georgia and South Sandwich Islands|GT Guatemala|GU Guam|" +
	"GW Guinea-Bissau|GY Guyana|HK Hong Kong|HM Heard and McDonald Islands|HN Honduras|HR Croatia|HT Haiti|HU Hungary|" +
	"ID Indonesia|IE Ireland|IL Israel|IM Isle of Man|IN India|IO British Indian Ocean Territory|IQ Iraq|IR Iran|IS Iceland|" +
	"IT Italy|JE Jersey|JM Jamaica|JO Jordan|JP Japan|KE Kenya|KG Kyrgyzstan|KH Cambodia|KI Kiribati|KM Comoros|" +
	"KN Saint Kitts and Nevis|KP North Korea|KR South Korea|KW Kuwait|KY Cayman Islands|KZ Kazakhstan|LA Laos|LB Lebanon|" +
	"LC Saint Lucia|LI Liechtenstein|LK Sri Lanka|LR Liberia|LS Lesotho|LT Lithuania|LU Luxembourg|LV Latvia|LY Libya|" +
	"MA Morocco|MC Monaco|MD Moldova|ME Montenegro|MF Saint Martin|MG Madagascar|MH Marshall Islands|MK North Macedonia|" +
	"ML Mali|MM Myanmar|MN Mongolia|MO Macao|MP Northern Mariana Islands|MQ Martinique|MR Mauritania|MS Montserrat|MT Malta|" +
	"MU Mauritius|MV Maldives|MW Malawi|MX Mexico|MY Malaysia|MZ Mozambique|NA Namibia|NC New Caledonia|NE Niger|" +
	"NF Norfolk Island|NG Nigeria|NI Nicaragua|NL Netherlands|NO Norway|NP Nepal|NR Nauru|NU Niue|NZ New Zealand|OM Oman|" +
	"PA Panama|PE Peru|PF French Polynesia|PG Papua New Guinea|PH Philippines|PK Pakistan|PL Poland|" +
	"PM Saint Pierre and Miquelon|PN Pitcairn Islands|PR Puerto Rico|PS Palestinian Territories|PT Portugal|PW Palau|" +
	"PY Paraguay|QA Qatar|RE Reunion|RO Romania|RS Serbia|RU Russia|RW Rwanda|SA Saudi Arabia|SB Solomon Islands|" +
	"SC Seychelles|SD Sudan|SE Sweden|SG Singapore|SH Saint Helena|SI Slovenia|SJ Svalbard and Jan Mayen|SK Slovakia|" +
	"SL Sierra Leone|SM San Marino|SN Senegal|SO Somalia|SR Suriname|SS South Sudan|ST Sao Tome and Principe|SV El Salvador|" +
	"SX Sint Maarten|SY Syria|SZ Eswatini|TC Turks and Caicos Islands|TD Chad|TF French Southern Territories|TG Togo|" +
	"TH Thailand|TJ Tajikistan|TK Tokelau|TL Timor-Leste|TM Turkmenistan|TN Tunisia|TO Tonga|TR Turkey|TT Trinidad and Tobago|" +
	"TV Tuvalu|TW Taiwan|TZ Tanzania|UA Ukraine|UG Uganda|UM U.S. Outlying Islands|US United States|UY Uruguay|UZ Uzbekistan|" +
	"VA Vatican City|VC Saint Vincent and the Grenadines|VE Venezuela|VG British Virgin Islands|VI U.S. Virgin Islands|" +
	"VN Vietnam|VU Vanuatu|WF Wallis and Futuna|WS Samoa|XK Kosovo|YE Yemen|YT Mayotte|ZA South Africa|ZM Zambia|ZW Zimbabwe"

// countryAliases are other ways in which shops' files name countries.
const countryAliases = "GB UK|GB Great Britain|GB England|GB Scotland|GB Wales|GB Northern Ireland|IE EIRE|IE Republic of Ireland|US USA|US U.S.A.|" +
	"US United States of America|CZ Czech Republic|KR Republic of Korea|KR Korea|KR Korea, South|RU Russian Federation|VN Viet Nam|TR Turkiye|" +
	"ZA RSA|AE UAE|NL The Netherlands|NL Holland|DE Deutschland|AT Österreich|CH Schweiz|FR République française|ES España|IT Italia|BR Brasil|" +
	"SE Sverige|NO Norge|DK Danmark|FI Suomi|PL Polska|BE Belgique|BE België|GR Hellas|IN Bharat|MX México|JP Nippon|" +
	"CD Congo|VA Holy See|BN Brunei Darussalam|MD Republic of Moldova|IR Islamic Republic of Iran|TZ United Republic of Tanzania|" +
	"BO Plurinational State of Bolivia|LA Lao PDR|SY Syrian Arab Republic|PS Palestine|TW Taiwan, Province of China|MO Macau|SZ Swaziland|" +
	"CI Côte d’Ivoire|CI Ivory Coast|CW Curaçao|RE Réunion|AX Åland Islands|CV Cabo Verde|TL East Timor|MK Macedonia"

var countries = sync.OnceValue(func() map[string]string {
	m := make(map[string]string, 700)
	for _, list := range [2]string{countryNames, countryAliases} {
		for entry := range strings.SplitSeq(list, "|") {
			code, name, _ := strings.Cut(entry, " ")
			m[strings.ToLower(name)] = code
			m[strings.ToLower(code)] = code
		}
	}
	return m
})

// countryCode returns the ISO 3166-1 alpha-2 code for a code or an English name.
func countryCode(s string) (string, bool) {
	if len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z' {
		if s == "UK" {
			return "GB", true
		}
		_, ok := countries()[strings.ToLower(s)]
		return s, ok
	}
	name := strings.ToLower(strings.Join(strings.Fields(s), " "))
	if c, ok := countries()[name]; ok {
		return c, true
	}
	c, ok := countries()[strings.ReplaceAll(name, "&", "and")]
	return c, ok
}
