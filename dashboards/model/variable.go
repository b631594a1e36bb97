package model

// VariableKind says where the values of a variable come from. The list is closed.
type VariableKind string

// Kinds of variables.
const (
	DataSource VariableKind = "datasource" // the Prometheus data sources of the Grafana that shows the dashboard
	Query      VariableKind = "query"      // values of a label
)

// Variable is a choice at the top of the dashboard. Query variables allow several values and begin with all of them.
type Variable struct {
	Kind        VariableKind
	Name        string
	Label       string
	Description string
	// Query is label_values(selector, label), made by package query.
	Query string
	// AllValue replaces the list of values when all are chosen. ".*" also matches series that lack the label; left
	// empty, all is the list of the values found.
	AllValue string
}

// DatasourceVariable is the name of the data source variable of every dashboard.
const DatasourceVariable = "datasource"

// PrometheusDatasource is the data source variable that every dashboard begins with.
func PrometheusDatasource() Variable {
	return Variable{Kind: DataSource, Name: DatasourceVariable, Label: "Data source",
		Description: "Prometheus that holds the metrics."}
}
