// Package emit writes dashboards in every schema that Grafana takes, as the files of dashboards/dist. The schemas
// themselves are the packages below it. Everything here is pure: equal dashboards give equal bytes.
package emit

import (
	"errors"
	"fmt"

	"github.com/tailgate-otel/tailgate/dashboards/emit/classic"
	"github.com/tailgate-otel/tailgate/dashboards/emit/v2"
	"github.com/tailgate-otel/tailgate/dashboards/model"
)

// Files returns the content of each file by its slash-separated path: classic/<uid>.json and v2/<uid>.json.
func Files(dashboards []model.Dashboard) (map[string][]byte, error) {
	files := map[string][]byte{}
	var errs []error
	for _, d := range dashboards {
		for folder, emit := range map[string]func(model.Dashboard) ([]byte, error){"classic": classic.Emit, "v2": v2.Emit} {
			data, err := emit(d)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			path := folder + "/" + d.UID + ".json"
			if _, twice := files[path]; twice {
				errs = append(errs, fmt.Errorf("two dashboards have the uid %s", d.UID))
			}
			files[path] = data
		}
	}
	return files, errors.Join(errs...)
}
