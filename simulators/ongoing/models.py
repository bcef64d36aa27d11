"""What Ongoing accepts: the request models of its specification, and how a body is read by them.

One model a block: name, then its fields with their kinds; `!` marks a required one. A number or a truth value may
come as a string (Ongoing's own samples do that). Fields the model does not have are left out.
"""

from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from simulators.ongoing.wire import Unreadable, read_moment, to_units

Json = Any

_MODELS = """
CodeNamePair: code=text name=text

PostArticleModel: goodsOwnerId!=int articleNumber!=text articleName=text productCode=text unitCode=text description=text
  articleGroup=CodeNamePair articleCategory=CodeNamePair articleColor=CodeNamePair articleSize=CodeNamePair
  isStockArticle=bool isActive=bool supplierInfo=PostArticleSupplierInfo barCodeInfo=PostArticleBarCodeInfo
  quantityPerPackage=int quantityPerPallet=int quantityPerLayerOnPallet=int subQuantityPerItem=number
  weight=number length=number width=number height=number volume=number netWeight=number
  purchasePrice=number stockValuationPrice=number customerPrice=number purcaseCurrencyCode=text
  countryOfOriginCode=text statisticsNumber=text articleNameTranslations=[PostArticleNameTranslation] stockLimit=int
  minimumReorderQuantity=number linkToPicture=text structureDefinition=PostArticleStructureSpecification
  minDaysToExpiryDateAllowedOnDelivery=int storageProperties=PostArticleStorageProperties freeValues=PostArticleFreeValues
  storageClass=PostArticleStorageClass customsDescription=text taricNumbersInfo=PostArticleTaricNumbersInfo
PostArticleSupplierInfo: supplierArticleNumber=text supplierNumber=text supplierName=text
PostArticleBarCodeInfo: barCode=text barCodePackage=text barCodePallet=text alternativeBarCodes=[PostArticleAlternativeBarCode]
PostArticleAlternativeBarCode: barCode=text quantityPerBarCode=number barCodeType=CodeNamePair
PostArticleNameTranslation: languageCode=text articleName=text
PostArticleStructureSpecification: articleKind=articleKind rows=[PostArticleStructureRow]
PostArticleStructureRow: articleNumber!=text numberOfItems=quantity
PostArticleStorageProperties: isObsolete=bool isSerialNumberArticle=bool isBatchArticle=bool isExpiryDateArticle=bool
PostArticleFreeValues: freeDecimal1=number freeDecimal2=number freeDecimal3=number
  freeBoolean1=bool freeBoolean2=bool freeBoolean3=bool
PostArticleStorageClass: name!=text
PostArticleTaricNumbersInfo: taricNumbers=[PostArticleTaricNumber]
PostArticleTaricNumber: countryCode!=text taricNumber!=text
PostArticleClassModel: goodsOwnerId!=int code!=text name!=text comment=text
PortArticleArticleClassesModel: articleClassIds!=[int]

PostOrderModel: goodsOwnerId!=int orderNumber!=text deliveryDate!=time consignee!=PostOrderConsignee referenceNumber=text
  goodsOwnerOrderId=text salesCode=text orderRemark=text deliveryInstruction=text servicePointCode=text
  freeText1=text freeText2=text freeText3=text orderFreeDateTime1=time orderType=CodeNamePair wayOfDelivery=CodeNamePair
  emailNotification=Notification smsNotification=Notification telephoneNotification=Notification
  transporter=PostOrderTransporter returnTransporter=PostOrderTransporter orderLines=[PostOrderLine]
  customsInfo=PostOrderCustomsInfo preparedTransportDocumentId=text freightPrice=number warehouseId=int
  classes=[PostOrderClass] termsOfDeliveryType=CodeNamePair customerPrice=number advanced=PostOrderAdvanced
  consigneeOrderNumber=text warehouseInstruction=text marketPlace=PostOrderMarketPlace pickingPriority=int
  productionCode=text transporterBulkId=text
PostOrderConsignee: customerNumber=text name=text address1=text address2=text address3=text postCode=text city=text
  countryCode=text countryStateCode=text remark=text doorCode=text advanced=ConsigneeAdvanced
  invoiceAddress=InvoiceAddress organisationNumber=text vatNumber=text deliveryInstruction=text
ConsigneeAdvanced: telephoneNotification=Notification emailNotification=Notification smsNotification=Notification
  externalCustomerCode=text
InvoiceAddress: name=text address1=text address2=text address3=text postCode=text city=text countryCode=text
  countryStateCode=text advanced=InvoiceAddressAdvanced
InvoiceAddressAdvanced: telephoneNotification=InvoiceNotification emailNotification=InvoiceNotification
  smsNotification=InvoiceNotification
InvoiceNotification: value=text
Notification: toBeNotified=bool value=text
PostOrderTransporter: transporterCode=text transporterServiceCode=text paymentAdvanced=TransporterPayment
TransporterPayment: consigneeCollects=bool consigneePays=PayingCustomer thirdPartyPays=PayingCustomer senderPays=SenderPays
PayingCustomer: customerNumber!=text
SenderPays: ediCode!=text
PostOrderLine: rowNumber!=text articleNumber!=text numberOfItems=quantity comment=text shouldBePicked=bool serialNumber=text
  lineTotalCustomsValue=number batchNumber=text lineType=CodeNamePair prices=PostOrderLinePrices customerArticleNumber=text
  warehouseInstruction=text externalId=text articleItemStatus=CodeNamePair lineFreeValues=PostOrderLineFreeValues
  minDaysToExpiryDate=int maxDaysToExpiryDate=int deliveryDate=time vat=any weight=number minWeight=number maxWeight=number
PostOrderLinePrices: linePrice=number customerLinePrice=number currencyCode=text discountPercentage=number totalVat=number
PostOrderLineFreeValues: freeText1=text
PostOrderCustomsInfo: customsValueCurrencyCode=text
PostOrderClass: code=text name=text comment=text isParcelTypeSuggestion=bool
PostOrderAdvanced: orderTextLines=[PostOrderTextLine] arrivalDate=time wayOfDeliveryString=text transporterOrderNumber=text
  invoiceNumber=text arrivalDateFrom=time termsOfPaymentString=text termsOfDeliveryString=text communication=text
PostOrderTextLine: rowNumber!=text comment=text numberOfItems=quantity
PostOrderMarketPlace: marketPlace=text marketPlaceOrderNumber=text
PostWayOfDeliveryTypeModel: goodsOwnerId!=int code!=text name!=text

PatchOrderClassesModel: classes=[PostOrderClass]
PatchOrderDeliveryDate: deliveryDate!=time
PatchOrderReportedNumberOfItemsModel: reportedNumberOfItems!=quantity
PatchOrderReportedReturnedNumberOfItemsModel: reportedReturnedNumberOfItems!=quantity
PatchOrderNumberModel: orderNumber!=text
PatchOrderStatus: orderStatusNumber!=int
PatchOrderReturnWaybill: returnWaybill!=text
PatchOrderWaybill: waybill!=text
PatchServicePointCode: servicePointCode!=text
PatchOrderTransporterModel: transporterCode=text transporterServiceCode=text paymentAdvanced=TransporterPayment
PostOrderTrackingModel: waybill!=text trackingUrl!=text isReturnTracking!=bool
PostParcelTypeModel: parcelNumber!=text transportAdministrationType!=text advanced=any
PostParcelUsingIdTypeModel: parcelNumber=text transportAdministrationType=text advanced=any

PostPurchaseOrderModel: goodsOwnerId!=int purchaseOrderNumber!=text supplierOrderNumber=text goodsOwnerReference=text
  referenceNumber=text inDate=time supplierInfo=PostPurchaseOrderSupplierInfo purchaseOrderType=CodeNamePair
  purchaseOrderLines=[PostPurchaseOrderLine] purchaseOrderRemark=text warehouseId=int freeValues=PostPurchaseOrderFreeValues
  advanced=PostPurchaseOrderAdvanced customsInfo=PostPurchaseOrderCustoms sellerInfo=PostPurchaseOrderSellerInfo
  invoiceNumber=text classes=[any] tracking=[any] textLines=[any]
PostPurchaseOrderSupplierInfo: supplierNumber=text supplierName=text supplierAddress=PartyAddress
PostPurchaseOrderSellerInfo: sellerNumber=text sellerName=text sellerAddress=PartyAddress
PartyAddress: name=text address=text address2=text address3=text postCode=text city=text telePhone=text remark=text email=text
  mobilePhone=text countryStateCode=text countryCode=text deliveryInstruction=text isVisible=bool notifyBySMS=bool
  notifyByEmail=bool notifyByTelephone=bool
PostPurchaseOrderLine: rowNumber!=text articleNumber!=text numberOfItems=quantity comment=text rowPrice=number currencyCode=text
  articleItemStatusId=int batchNumber=text externalOrderLineId=text inDate=time serialNumber=text expiryDate=time
  productionDate=time lineFreeValues=PostPurchaseOrderLineFreeValues lineType=CodeNamePair
PostPurchaseOrderLineFreeValues: freeDecimal1=number freeText1=text freeText2=text
PostPurchaseOrderFreeValues: freeText1=text freeText2=text freeText3=text freeText4=text freeText5=text
  freeDecimal1=number freeDecimal2=number freeBoolean1=bool freeBoolean2=bool
PostPurchaseOrderAdvanced: container=text orderDate=time advisedDate=time purchaseOrderStatusCreated=int
  purchaseOrderIsReturnType=bool
PostPurchaseOrderCustoms: termsOfDeliveryType=CodeNamePair termsOfDeliveryTypeLocation=text
PatchPurchaseOrderAdvisedDate: advisedDate=time
PatchPurchaseOrderInDate: inDate=time
PatchPurchaseOrderFreeBool1: freeBool1!=bool
PatchPurchaseOrderReportedNumberOfItemsModel: reportedNumberOfItems!=quantity
PatchPurchaseOrderStatus: purchaseOrderStatusNumber!=int

PostReturnOrderModel: goodsOwnerId!=int returnOrderNumber!=text customerOrder!=PostReturnOrderCustomerOrder
  returnOrderLines!=[PostReturnOrderLine] comment=text inDate=time warehouseId=int tracking=[PostReturnOrderTracking]
  returnOrderHandlingComment=text
PostReturnOrderCustomerOrder: orderId!=int
PostReturnOrderLine: returnOrderRowNumber!=text customerOrderLine!=PostReturnOrderLineCustomerOrderLine
  toBeReturnedNumberOfItems!=quantity returnCause=CodeNamePair
PostReturnOrderLineCustomerOrderLine: orderLineId!=int
PostReturnOrderTracking: waybill=text trackingUrl=text
PostReturnCauseModel: goodsOwnerId!=int code!=text name!=text isRemoveCause=bool isChangeCause=bool
  isReturnCommentMandatory=bool
PatchReturnOrderStatus: returnOrderStatusNumber!=int
"""


class Invalid(ValueError):
    """The body does not fit the model: path of each field with what is wrong about it."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(f"{path}: {problem}" for path, problem in problems.items()))
        self.problems = problems


class _Field(NamedTuple):
    kind: str
    is_list: bool
    is_model: bool


def _parsed(text: str) -> tuple[dict[str, dict[str, _Field]], dict[str, list[str]]]:
    models: dict[str, dict[str, _Field]] = {}
    required: dict[str, list[str]] = {}
    for block in text.replace("\n  ", " ").split("\n"):
        name, colon, fields = block.partition(":")
        if not colon:
            continue
        models[name], required[name] = {}, []
        for field in fields.split():
            spelling, _, kind = field.partition("=")
            if spelling.endswith("!"):
                spelling = spelling[:-1]
                required[name].append(spelling)
            bare = kind.strip("[]")
            models[name][spelling] = _Field(bare, kind.startswith("["), bare[0].isupper())
    return models, required


_FIELDS, _REQUIRED = _parsed(_MODELS)


def read_body(model: str, body: Json, *, refuse_unknown: bool = False) -> dict[str, Json]:
    """Return the fields of the model that were sent; an explicit null stays a null."""
    problems: dict[str, str] = {}
    found = _read_object(model, body, "", problems, refuse_unknown)
    if problems:
        raise Invalid(problems)
    return found


def _read_object(model: str, value: Json, path: str, problems: dict[str, str], refuse_unknown: bool) -> dict[str, Json]:
    found: dict[str, Json] = {}
    if type(value) is not dict:
        problems[path.rstrip(".")] = "An object is expected."
        return found
    fields = _FIELDS[model]
    for name, item in value.items():
        field = fields.get(name)
        if field is None:
            if refuse_unknown:
                problems[path + name] = f"The field {name} is not known."
        elif item is None:
            found[name] = None
        elif field.is_list:
            if type(item) is not list:
                problems[path + name] = "An array is expected."
            else:
                found[name] = [
                    _read_value(field, entry, f"{path}{name}[{at}]", problems, refuse_unknown) for at, entry in enumerate(item)
                ]
        elif field.kind == "text" and type(item) is str:
            found[name] = item
        else:
            found[name] = _read_value(field, item, path + name, problems, refuse_unknown)
    for name in _REQUIRED[model]:
        if found.get(name) in (None, "") and path + name not in problems:
            problems[path + name] = f"The {name} field is required."
    return found


def _read_value(field: _Field, value: Json, path: str, problems: dict[str, str], refuse_unknown: bool) -> Json:
    if field.is_model:
        return _read_object(field.kind, value, path + ".", problems, refuse_unknown)
    try:
        return _read_scalar(field.kind, value)
    except (Unreadable, InvalidOperation, ValueError) as error:
        problems[path] = f"The value is not valid: {error}."
        return None


def _read_scalar(kind: str, value: Json) -> Json:
    if kind == "any":
        return value
    if isinstance(value, dict | list):
        raise Unreadable("a plain value is expected")
    match kind:
        case "text":
            return value if isinstance(value, str) else str(value)
        case "int":
            number = int(value) if not isinstance(value, Decimal) or value == value.to_integral_value() else None
            if isinstance(value, bool) or number is None or not -(2**31) <= number < 2**31:
                raise Unreadable("a whole number is expected")
            return number
        case "number" | "quantity":
            if isinstance(value, bool):
                raise Unreadable("a number is expected")
            decimal = Decimal(value)
            if kind == "quantity" or not decimal.is_finite():
                to_units(decimal)
            return decimal
        case "bool":
            truth = {True: True, False: False, "true": True, "false": False, "True": True, "False": False}.get(value)
            if truth is None:
                raise Unreadable("true or false is expected")
            return truth
        case "time":
            read_moment(str(value))
            return str(value)
        case "articleKind":
            if value not in ("Production", "Structure"):
                raise Unreadable("Production or Structure is expected")
            return value
    raise AssertionError(kind)
