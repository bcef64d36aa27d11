-- What the tables' constraints lean on: known countries and currencies (ISO 3166-1 alpha-2, ISO 4217), as functions so
-- that no reference table needs a merchant.

create function erp.is_country(code text) returns boolean language sql immutable parallel safe as $$
  select code = any (string_to_array(
    'AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD '
    'CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF '
    'GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN '
    'KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA '
    'NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI '
    'SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI '
    'VN VU WF WS XK YE YT ZA ZM ZW', ' '))
$$;

create function erp.is_currency(code text) returns boolean language sql immutable parallel safe as $$
  select code = any (string_to_array(
    'AED ALL AMD ANG AOA ARS AUD AZN BAM BBD BDT BGN BHD BMD BND BOB BRL BSD BWP BZD CAD CHF CLP CNY COP CRC CZK DKK DOP DZD '
    'EGP ETB EUR FJD GBP GEL GHS GIP GTQ HKD HNL HUF IDR ILS INR ISK JMD JOD JPY KES KGS KHR KRW KWD KZT LBP LKR MAD MDL MKD '
    'MOP MUR MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PHP PKR PLN PYG QAR RON RSD SAR SEK SGD THB TND TRY TTD TWD TZS '
    'UAH UGX USD UYU UZS VND XAF XOF ZAR ZMW', ' '))
$$;

create sequence bridge.look_no cache 1;
create sequence erp.basis_no cache 1;
