//! Flight SQL metadata: catalogs, schemas, tables, server capabilities and data types.

use arrow::array::RecordBatch;
use arrow_flight::error::{FlightError, Result};
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetDbSchemas, CommandGetTableTypes, CommandGetTables, Nullable,
    Searchable, SqlInfo, SqlSupportedCaseSensitivity, SqlSupportedTransaction, XdbcDataType,
};
use datafusion::logical_expr::TableType;

use crate::limits::Limits;
use crate::sql::Session;

pub fn catalogs(session: &Session, query: CommandGetCatalogs) -> Result<RecordBatch> {
    let mut rows = query.into_builder();
    for catalog in sorted(session.context().catalog_names()) {
        rows.append(catalog);
    }
    rows.build()
}

pub fn schemas(session: &Session, query: CommandGetDbSchemas) -> Result<RecordBatch> {
    let mut rows = query.into_builder();
    for name in sorted(session.context().catalog_names()) {
        let catalog = session.context().catalog(&name);
        for schema in sorted(catalog.map_or(Vec::new(), |catalog| catalog.schema_names())) {
            rows.append(&name, schema);
        }
    }
    rows.build()
}

pub async fn tables(session: &Session, query: CommandGetTables) -> Result<RecordBatch> {
    let mut rows = query.into_builder();
    for catalog_name in sorted(session.context().catalog_names()) {
        let Some(catalog) = session.context().catalog(&catalog_name) else { continue };
        for schema_name in sorted(catalog.schema_names()) {
            let Some(schema) = catalog.schema(&schema_name) else { continue };
            for name in sorted(schema.table_names()) {
                let table = schema
                    .table(&name)
                    .await
                    .map_err(|error| FlightError::ExternalError(error.into()))?;
                let Some(table) = table else { continue };
                let kind = table_type_name(table.table_type());
                rows.append(&catalog_name, &schema_name, name, kind, &table.schema())?;
            }
        }
    }
    rows.build()
}

pub fn table_types(query: CommandGetTableTypes) -> Result<RecordBatch> {
    let mut rows = query.into_builder();
    for kind in [TableType::Base, TableType::View] {
        rows.append(table_type_name(kind));
    }
    rows.build()
}

fn table_type_name(kind: TableType) -> &'static str {
    match kind {
        TableType::View => "VIEW",
        TableType::Base | TableType::Temporary => "TABLE",
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// Name, version and capabilities of the server.
pub fn sql_info(limits: Limits) -> Result<SqlInfoData> {
    let mut info = SqlInfoDataBuilder::new();
    info.append(SqlInfo::FlightSqlServerName, env!("CARGO_PKG_NAME"));
    info.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    info.append(SqlInfo::FlightSqlServerArrowVersion, arrow::ARROW_VERSION);
    info.append(SqlInfo::FlightSqlServerReadOnly, true);
    info.append(SqlInfo::FlightSqlServerSql, true);
    info.append(SqlInfo::FlightSqlServerSubstrait, false);
    info.append(SqlInfo::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    info.append(SqlInfo::FlightSqlServerCancel, false);
    info.append(SqlInfo::FlightSqlServerBulkIngestion, false);
    let time_ms = i32::try_from(limits.time.as_millis()).unwrap_or(i32::MAX);
    info.append(SqlInfo::FlightSqlServerStatementTimeout, time_ms);
    for unsupported in [SqlInfo::SqlDdlCatalog, SqlInfo::SqlDdlSchema, SqlInfo::SqlDdlTable] {
        info.append(unsupported, false);
    }
    let lower = SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32;
    info.append(SqlInfo::SqlIdentifierCase, lower);
    info.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    info.append(SqlInfo::SqlAllTablesAreSelectable, true);
    for term in [(SqlInfo::SqlSchemaTerm, "schema"), (SqlInfo::SqlCatalogTerm, "catalog")] {
        info.append(term.0, term.1);
    }
    info.append(SqlInfo::SqlCorrelatedSubqueriesSupported, true);
    info.build()
}

/// Data types of columns: name, XDBC type, size in digits or bytes, literal quote.
const TYPES: &[(&str, XdbcDataType, i32, Option<&str>)] = &[
    ("BIGINT", XdbcDataType::XdbcBigint, 19, None),
    ("BOOLEAN", XdbcDataType::XdbcBit, 1, None),
    ("DATE", XdbcDataType::XdbcDate, 10, Some("'")),
    ("DOUBLE", XdbcDataType::XdbcDouble, 15, None),
    ("INTEGER", XdbcDataType::XdbcInteger, 10, None),
    ("INTERVAL", XdbcDataType::XdbcInterval, 0, Some("'")),
    ("SMALLINT", XdbcDataType::XdbcSmallint, 5, None),
    ("TIMESTAMP", XdbcDataType::XdbcTimestamp, 26, Some("'")),
    ("VARCHAR", XdbcDataType::XdbcVarchar, i32::MAX, Some("'")),
];

pub fn xdbc_types() -> Result<XdbcTypeInfoData> {
    let mut types = XdbcTypeInfoDataBuilder::new();
    for (name, data_type, size, quote) in TYPES {
        types.append(XdbcTypeInfo {
            type_name: (*name).to_owned(),
            data_type: *data_type,
            sql_data_type: *data_type,
            column_size: Some(*size),
            literal_prefix: quote.map(str::to_owned),
            literal_suffix: quote.map(str::to_owned),
            nullable: Nullable::NullabilityNullable,
            case_sensitive: *data_type == XdbcDataType::XdbcVarchar,
            searchable: Searchable::Full,
            ..XdbcTypeInfo::default()
        });
    }
    types.build()
}
