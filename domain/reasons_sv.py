"""The reasons of `domain/reasons.py` in Swedish, for those who work in the warehouse's and the accountant's language."""

from dataclasses import dataclass

from domain.flows import FLOWS


@dataclass(frozen=True, slots=True)
class Swedish:
    """What a reason means, and what to do, in Swedish."""

    sentence: str
    remedy: str


WHO = {"system": "ingen", "warehouse": "lagret", "accounting": "ekonomi", "erp": "affärssystemet", "person": "en handläggare"}

SWEDISH: dict[str, Swedish] = {
    "no-answer": Swedish("Det andra systemet har inte svarat på en stund.", "Ingenting: det försöks igen tills det svarar."),
    "unclear-answer": Swedish(
        "Lagrets svar saknar en rad eller ett antal, och det som saknas är aldrig noll.",
        "Ingenting, om det går över; fråga annars lagret vad som hänt med raden.",
    ),
    "settling": Swedish(
        "En skrivning till Fortnox fick inget tydligt svar; inget skrivs om förrän den inte längre kan komma fram.",
        "Ingenting: det fortsätter av sig självt.",
    ),
    "connection-blocked": Swedish(
        "Det andra systemet godtar inte våra uppgifter, eller så öppnar de ett annat företag.",
        "Rätta uppgifterna (lagerbro connection set ... --credentials FIL); allt som väntar fortsätter av sig självt.",
    ),
    "unknown-article": Swedish(
        "En orderrad har en artikel som affärssystemet inte har.",
        "Lägg upp artikeln i erp.article eller rätta raden; en ny artikel upptäcks av sig självt.",
    ),
    "article-refused": Swedish("Lagret tar inte emot en artikel på ordern.", "Rätta artikeln i erp.article, försök sedan igen."),
    "near-twin-article": Swedish(
        "Två artiklars nummer skiljer bara i versaler, blanksteg eller inledande nollor, eller så förväxlar lagret dem.",
        "Byt nummer på en av de två, försök sedan igen.",
    ),
    "missing-address": Swedish(
        "Ordern saknar leveransadress (namn, adress, postnummer, ort och land behövs).",
        "Fyll i leveranskolumnerna i erp.sales_order, försök sedan igen.",
    ),
    "missing-exchange-rate": Swedish(
        "Ordern är i en annan valuta än bokföringen och saknar växelkurs.",
        "Sätt exchange_rate på erp.sales_order (bokföringens valuta per enhet), försök sedan igen.",
    ),
    "order-without-lines": Swedish("Ordern har inga rader kvar.", "Lägg till rader eller avbryt ordern."),
    "foreign-order-number": Swedish(
        "Lagret har redan en order med detta nummer som vi inte har skickat.",
        "Byt nummer på eller ta bort en av de två, försök sedan igen.",
    ),
    "order-refused": Swedish("Lagret tar inte emot ordern.", "Rätta det som svaret nämner, försök sedan igen."),
    "order-differs": Swedish(
        "Lagret har ordern med andra rader än vi skickade.",
        "Jämför de två; rätta i Ongoing eller affärssystemet, försök sedan igen.",
    ),
    "unknown-order-status": Swedish(
        "Lagret använder en orderstatus som saknas i handlarens översättning.",
        "Lägg till numret i handlarens inställningar (statuses), försök sedan igen.",
    ),
    "order-error-at-warehouse": Swedish("Lagret har satt ordern i felstatus.", "Låt lagret rätta ordern, försök sedan igen."),
    "article-not-in-erp": Swedish(
        "Lagret har flyttat en artikel på ordern som affärssystemet inte har.",
        "Lägg upp artikeln i erp.article, försök sedan igen: rörelsen bokförs då.",
    ),
    "picked-after-cancel": Swedish(
        "Ordern avbröts, men lagret har ändå plockat den.", "Ta tillbaka godset eller öppna försäljningen igen."
    ),
    "missing-customer": Swedish(
        "Ordern saknar kund och handlaren har ingen samlingskund för landet.",
        "Sätt customer_number på ordern, eller tillåt samlingskunder i handlarens inställningar.",
    ),
    "customer-number-not-accepted": Swedish(
        "Fortnox tar bara bokstäver, siffror och - + / _ i ett kundnummer.", "Byt kundens nummer, försök sedan igen."
    ),
    "customer-refused": Swedish("Fortnox tar inte emot kunden.", "Rätta det som svaret nämner, försök sedan igen."),
    "customer-number-taken": Swedish(
        "Fortnox har en annan kund med detta nummer.", "Byt nummer på en av de två, försök sedan igen."
    ),
    "vat-does-not-fit-customer": Swedish(
        "En rad har moms, men kundens land eller VAT-nummer säger att det inte ska vara någon.",
        "Rätta vat_rate på raden eller kundens land och VAT-nummer, försök sedan igen.",
    ),
    "vat-rate-without-account": Swedish(
        "Det finns inget försäljningskonto för en rads momssats.",
        "Lägg till satsen bland handlarens konton eller sätt account på raden, försök sedan igen.",
    ),
    "row-not-exact": Swedish(
        "Fortnox räknar fram en annan moms för fakturautkastet än avrundningsregeln tillåter.",
        "Jämför utkastet med det som nämns; rätta det i Fortnox eller makulera det där, försök sedan igen.",
    ),
    "invoice-refused": Swedish("Fortnox tar inte emot fakturan.", "Rätta det som svaret nämner, försök sedan igen."),
    "invoice-differs": Swedish(
        "Fakturautkastet i Fortnox skiljer sig från det som avsågs.",
        "Ångra ändringen i Fortnox eller makulera utkastet där, försök sedan igen.",
    ),
    "invoice-cancelled-by-hand": Swedish(
        "Någon har makulerat fakturan i Fortnox.", "Bestäm om den ska göras igen; försök sedan igen."
    ),
    "invoice-booked-twice": Swedish(
        "Två bokförda fakturor i Fortnox har samma referens.", "Kreditera en av dem i Fortnox, försök sedan igen."
    ),
    "period-locked": Swedish(
        "Bokföringsperioden för fakturan är låst.", "Lås upp perioden i Fortnox eller välj en annan dag, försök sedan igen."
    ),
    "voucher-refused": Swedish("Fortnox tar inte emot en verifikation.", "Läs svaret, rätta det som nämns, försök sedan igen."),
    "voucher-series-wrong": Swedish(
        "Verifikationsserien saknas för året eller är inte manuell.",
        "Lägg upp serien för året i Fortnox och tillåt manuella verifikationer, försök sedan igen.",
    ),
    "voucher-differs": Swedish(
        "En verifikation i Fortnox har vår nyckel och andra belopp än vi skickade.",
        "Jämför verifikationen med underlaget (lagerbro tie-out); rätta den i Fortnox, försök sedan igen.",
    ),
    "voucher-booked-twice": Swedish(
        "Ett försök utan tydligt svar kom fram ändå: den andra verifikationen är vänd av en som nämner den.",
        "Inget att bokföra: titta på de två verifikationerna, stäng sedan noteringen (lagerbro note close).",
    ),
    "financial-year-missing": Swedish(
        "Fortnox har inget räkenskapsår för datumet.", "Lägg upp räkenskapsåret i Fortnox, försök sedan igen."
    ),
    "account-missing": Swedish(
        "Ett konto som används finns inte i Fortnox, eller är inte aktivt.",
        "Lägg upp eller aktivera kontot i Fortnox, eller rätta handlarens konton, försök sedan igen.",
    ),
    "currency-missing": Swedish("Valutan är inte upplagd i Fortnox.", "Lägg upp valutan i Fortnox, försök sedan igen."),
    "terms-missing": Swedish(
        "Betalningsvillkoret, leveransvillkoret eller leveranssättet finns inte i Fortnox.",
        "Lägg upp det i Fortnox eller rätta handlarens inställningar (terms_of_payment), försök sedan igen.",
    ),
    "vat-not-registered": Swedish(
        "Fortnox tar inte emot momssatsen eller momskoden på en rad.",
        "Lägg upp momssatsen i Fortnox eller rätta raden, försök sedan igen.",
    ),
    "vat-number-refused": Swedish(
        "Fortnox godtar inte kundens VAT-nummer.", "Rätta vat_number på erp.customer, försök sedan igen."
    ),
    "fortnox-warehouse-on": Swedish(
        "Fortnox Lager är på i företaget och håller fakturan.",
        "Stäng av Fortnox Lager för företaget, eller klarmarkera fakturan för lager där, försök sedan igen.",
    ),
    "fortnox-rights-missing": Swedish(
        "Tjänstekontot i Fortnox saknar behörighet eller licens.",
        "Ge integrationen behörigheten eller licensen i Fortnox; allt som väntar fortsätter av sig självt.",
    ),
    "foreign-purchase-number": Swedish(
        "Lagret har redan en inköpsorder med detta nummer som vi inte har skickat.",
        "Avbryt inköpet och lägg det under ett annat nummer, eller låt det andra få ett nytt nummer i lagret, försök sedan igen.",
    ),
    "goods-received-account-missing": Swedish(
        "Varor har kommit in, och inget konto är satt för mottaget ej fakturerat.",
        "Sätt goods_received_not_invoiced_account i handlarens inställningar; det fortsätter av sig självt.",
    ),
    "purchase-article-not-in-erp": Swedish(
        "Lagret har tagit emot en artikel som affärssystemet inte har: den kan inte bokföras.",
        "Lägg upp artikeln i erp.article; det fortsätter av sig självt.",
    ),
    "purchase-change-refused": Swedish(
        "Lagret har börjat med inköpsordern och behåller den som den var; det som tas emot bokförs.",
        "Sätt tillbaka inköpsordern till det lagret väntar, eller kom överens med lagret.",
    ),
    "purchase-differs": Swedish(
        "Lagret har inköpsordern på annat sätt än den skickades.",
        "Jämför det som nämns; rätta i affärssystemet eller i lagret, försök sedan igen.",
    ),
    "purchase-over": Swedish(
        "Lagret är klart med inköpsordern, och mer eller annat kom än som var beställt.",
        "Stäng den (lagerbro purchase close) när det är överenskommet med leverantören.",
    ),
    "purchase-refused": Swedish(
        "Lagret tar inte emot inköpsordern.", "Rätta det som svaret nämner; ändringen skickas av sig själv."
    ),
    "purchase-short": Swedish(
        "Lagret är klart med inköpsordern, och mindre kom än som var beställt.",
        "Stäng den (lagerbro purchase close), eller låt lagret ta emot resten.",
    ),
    "purchase-without-lines": Swedish(
        "Inköpsordern har inga rader.", "Lägg till rader i erp.purchase_order_line eller avbryt inköpsordern."
    ),
    "received-after-close": Swedish(
        "Varor kom in på en inköpsorder som var stängd eller avbruten; de är bokförda.",
        "Se om leverantören levererade sent; inget annat behöver göras.",
    ),
    "received-more-than-ordered": Swedish(
        "Mer togs emot än som var beställt; allt är bokfört.", "Kom överens med leverantören, eller sänd tillbaka överskottet."
    ),
    "received-not-ordered": Swedish(
        "En artikel togs emot som inte finns på inköpsordern; bokförd till inköpspris, eller till det den kostar i lager.",
        "Se om den hörde till en annan order; leverantörsfakturan reglerar kostnaden.",
    ),
    "too-late-to-cancel-purchase": Swedish(
        "Inköpsordern kan inte längre avbrytas: lagret har börjat.", "Låt den tas emot, eller kom överens med lagret."
    ),
    "unknown-purchase-status": Swedish(
        "Ett statusnummer på lagrets inköpsorder saknar betydelse i inställningarna.",
        "Lägg till det i purchase_statuses (lagerbro merchant settings); det fortsätter av sig självt.",
    ),
    "approval-incomplete": Swedish(
        "Ett godkännande behöver ett namn, ett skäl och, över gränsen, en andra person.", "Godkänn igen med det som saknas."
    ),
    "difference-needs-approval": Swedish(
        "Lagrets saldo skiljer från våra böcker av en orsak som ingen känner, med mer än som får bokföras utan att fråga.",
        "Be lagret räkna; sedan lagerbro reconcile approve NUMMER --by ... --reason ... (eller --refuse).",
    ),
    "stock-file-refused": Swedish(
        "En levererad avstämningsfil går inte att lita på.", "Låt lagret leverera en hel, färsk fil för denna varuägare."
    ),
    "posting-rule-missing": Swedish(
        "Ingen av handlarens konteringsregler säger på vilka konton en lagerhändelse bokförs.",
        "Lägg till en regel i posting_rules (lagerbro merchant posting-rules explain HÄNDELSE); det som väntar fortsätter av sig"
        " självt, en omvärdering bokförs igen.",
    ),
    "standard-cost-missing": Swedish(
        "Lagret värderas till standardkostnad, och en artikel har ingen.",
        "Skriv kostnaden i erp.standard_cost (lagerbro cost standard ARTIKEL PRIS); det fortsätter av sig självt.",
    ),
    "preview-outdated": Swedish(
        "En omvärdering som skulle bokföras är inte den som förhandsvisades; inget bokfördes.",
        "Titta på den nya förhandsvisningen (lagerbro cost preview) och bokför den.",
    ),
    "settings-wrong": Swedish("Handlarens inställningar går inte att använda.", "Rätta den nämnda inställningen."),
    "over-delivery": Swedish(
        "Lagret plockade mer än beställt; överskottet faktureras inte.", "Fakturera överskottet för hand eller ta tillbaka det."
    ),
    "stock-below-zero": Swedish(
        "Mer har plockats än våra böcker har; värderat till senast kända kostnad.", "Bokför den inleverans som saknas."
    ),
    "report-refused": Swedish("Lagret tar inte emot det vi har bokfört.", "Läs svaret; våra egna böcker står fast."),
    "unexpected-refusal": Swedish(
        "Det andra systemet säger nej av ett skäl vi inte känner.", "Läs svaret; rätta, försök sedan igen."
    ),
    "article-deleted": Swedish(
        "En artikel togs bort i affärssystemet och finns kvar på lagret, som inte kan ta bort artiklar.",
        "Lägg in den igen med active = false, så får lagret veta det; annars inget, om den ska finnas kvar där.",
    ),
    "articles-refused-in-a-row": Swedish(
        "Lagret avvisar den ena artikeln efter den andra; några i taget prövas, så att lagret inte stänger oss ute.",
        "Läs vad det svarar (lagerbro article status): oftast saknas en inställning eller en grupp där.",
    ),
    "article-renamed": Swedish(
        "En artikel ersätter ett annat nummer, och lagret har saldot på det nummer det togs emot under.",
        "Låt saldot på det gamla numret ta slut, eller be lagret flytta det till det nya.",
    ),
    "held-by-a-person": Swedish("En handläggare har stoppat ordern.", "Skicka rättelsen release när ordern får fortsätta."),
    # --- order changes
    "change-refused": Swedish(
        "Lagret tog inte emot en ändring av ordern; den fortsätter som lagret har den.",
        "Se refused_part och refused_text på ordern; ändra den igen, eller kom överens med lagret.",
    ),
    "too-late-to-cancel": Swedish(
        "Ordern skulle avbrytas, men lagret har börjat.", "Fråga lagret; ordern följer det lagret gör."
    ),
    # --- exchange rates and cost
    "exchange-rate-missing": Swedish(
        "En valuta saknar växelkurs för dagen.",
        "Ingenting, om banken är sen: den frågas igen. Rätta annars rate_currencies i handlarens inställningar.",
    ),
    "exchange-rate-implausible": Swedish(
        "En publicerad växelkurs är inte trolig; den används inte.",
        "Jämför med bankens egen sida. Om den stämmer: lagerbro rates confirm; om den gäller 100: sätt rate_units.",
    ),
    "landed-cost-not-allocated": Swedish(
        "En hemtagningskostnad kan inte fördelas på sina inleveransrader.",
        "Komplettera artiklarna och försök igen; eller skriv en annan fördelning eller delarna för hand i erp.landed_cost; eller"
        " ta tillbaka den (lagerbro purchase withdraw) och ange den på nytt.",
    ),
    "cost-implausible": Swedish(
        "En artikels beräknade kostnad skulle göra ett hopp; den gamla står kvar.",
        "Kontrollera pris, valuta och kurs; sätt sedan kostnaden för hand.",
    ),
    # --- mapping
    "unknown-way-of-delivery": Swedish(
        "Orderns leveranssätt saknas i handlarens översättning.",
        "Lägg till koden i ways_of_delivery (lagerbro merchant settings set FIL), eller rätta ordern.",
    ),
    "unknown-order-type": Swedish(
        "Orderns typ saknas i handlarens översättning.",
        "Lägg till koden i order_types (lagerbro merchant settings set FIL), eller rätta ordern.",
    ),
    # --- returns
    "return-refused": Swedish("Lagret tar inte emot returordern.", "Rätta det som svaret nämner, försök sedan igen."),
    "return-differs": Swedish(
        "Lagret har returordern med andra rader än vi skickade.", "Jämför de två; rätta i Ongoing eller affärssystemet."
    ),
    "return-of-unsent-order": Swedish(
        "Returen nämner en order, eller en rad, som lagret aldrig har haft.",
        "Rätta raderna, eller avbryt returen och skriv en ny för rätt order; gods som ändå kommer bokförs.",
    ),
    "return-without-lines": Swedish("Returen har inga rader.", "Lägg till rader i erp.return_order_line eller avbryt returen."),
    "returned-more-than-sent": Swedish(
        "Mer kom tillbaka än som skickats eller fakturerats; godset är bokfört, överskottet krediteras inte.",
        "Räkna med lagret; rätta där, eller avsluta returen utan kredit (lagerbro return settle).",
    ),
    "invoiced-outside": Swedish(
        "Det som kom tillbaka är fakturerat utanför Lagerbro; godset är bokfört, inget krediteras.",
        "Kreditera för hand där det fakturerades; en retur avslutas sedan (lagerbro return settle).",
    ),
    "unknown-return-cause": Swedish(
        "Gods kom tillbaka av en orsak som saknas i översättningen; det är bokfört, krediten väntar.",
        "Lägg till orsaken i handlarens inställningar (return_causes), försök sedan igen.",
    ),
    "unknown-return-status": Swedish(
        "Lagret använder en returstatus som saknas i handlarens översättning.",
        "Lägg till numret i handlarens inställningar (return_statuses), försök sedan igen.",
    ),
    "too-late-to-cancel-return": Swedish(
        "Returen skulle avbrytas, men gods har kommit tillbaka.", "Ingenting, om det får stanna; returen följer det som kom."
    ),
    "return-undone-after-credit": Swedish(
        "Lagret tog tillbaka en retur som var krediterad: kunden har både gods och pengar.",
        "Sälj godset igen på en order, eller rätta returen i lagret.",
    ),
    "return-not-ours": Swedish(
        "Gods kom tillbaka på en rad i lagret som inte är en rad på ordern; det är bokfört, inget krediteras.",
        "Kom överens med lagret om vad det är; kreditera för hand om det var sålt.",
    ),
    "foreign-return-number": Swedish(
        "Lagret har redan en returorder med detta nummer för en annan order.",
        "Avbryt returen och avisera den under ett annat nummer, eller låt den andra få ett nytt nummer, försök sedan igen.",
    ),
    "credit-more-than-invoiced": Swedish(
        "Mer ska krediteras än som är fakturerat och finns kvar.",
        "Rätta raderna i erp.return_order_line, eller avbryt krediten (lagerbro return cancel).",
    ),
    "supplier-invoice-to-decide": Swedish(
        "En leverantörsfaktura avviker från det beställda och mottagna med mer än som får bokas utan att någon tillfrågas.",
        "Se den (lagerbro purchase invoices); godkänn den (lagerbro purchase approve NUMMER --invoice N) eller --reject.",
    ),
    "supplier-invoice-without-purchase": Swedish(
        "En leverantörsfaktura är bokad som mottaget gods och säger inte vilket inköp den gäller.",
        "Skriv inköpets nummer på fakturan i Fortnox; den läses om av sig själv.",
    ),
    "supplier-invoice-not-on-account": Swedish(
        "En leverantörsfaktura nämner ett inköp men har ingen rad på kontot för mottaget ej fakturerat.",
        "Kontera godset på det kontot i Fortnox; den läses om av sig själv.",
    ),
    "supplier-invoice-not-taken": Swedish(
        "En leverantörsfaktura i Fortnox innehåller något som inte kan sparas, som ett orimligt belopp eller en orimlig kurs; de"
        " övriga läses.",
        "Rätta i Fortnox det som nämns, eller makulera fakturan där; den läses om av sig själv.",
    ),
    "supplier-invoice-changed": Swedish(
        "En leverantörsfaktura ändrades eller makulerades i Fortnox efter matchningen; det den bokat är återtaget.",
        "Se om det var meningen; den matchas om som den är nu.",
    ),
    "supplier-return-impossible": Swedish(
        "Mer ska tillbaka till leverantören än som finns i våra böcker eller togs emot.",
        "Skriv ett mindre antal i erp.supplier_return, eller ta tillbaka den (lagerbro purchase withdraw) och ange en mindre.",
    ),
    "reconciliation-held": Swedish(
        "En avstämning skulle tömma lagret eller ändra för mycket av dess värde: den har inte bokat något okänt.",
        "Se dess fil; har lagret rätt, godkänn differenserna, fråga annars lagret vad som hänt.",
    ),
    "counting-not-proved": Swedish(
        "Inget verkligt plock och ingen inleverans har ännu visat hur lagret räknar: inget okänt bokas före det.",
        "Se lagerbro doctor; den säger vad som måste ses. Vet du det, sätt reconciliation.counting_is_known.",
    ),
    "difference-to-mend": Swedish(
        "En differens har en orsak som någon måste rätta: fel enhet, förväxlat eller bytt artikelnummer, främmande dokument.",
        "Se avstämningsfilen: den namnger artikeln och vad som ska göras.",
    ),
} | {
    flow.off: Swedish(
        f"Flödet {flow.name} är avstängt.",
        f"Slå på det (lagerbro entity on {flow.name}); allt som väntar fortsätter av sig självt.",
    )
    for flow in FLOWS.values()
}
