package main

import (
	"context"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// A server answers what Terraform asks to validate a configuration and to run mocked tests. The embedded interface is nil:
// Terraform plans nothing with a provider that cannot be configured.
type server struct {
	tfprotov6.ProviderServer
	schemas *tfprotov6.GetProviderSchemaResponse
}

func newServer(from *tfjson.ProviderSchema) (*server, error) {
	provider, err := schemaOf(from.ConfigSchema)
	if err != nil {
		return nil, err
	}
	resources, err := schemasOf(from.ResourceSchemas)
	if err != nil {
		return nil, err
	}
	sources, err := schemasOf(from.DataSourceSchemas)
	if err != nil {
		return nil, err
	}
	return &server{schemas: &tfprotov6.GetProviderSchemaResponse{
		Provider: provider, ResourceSchemas: resources, DataSourceSchemas: sources,
	}}, nil
}

func (s *server) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	to := &tfprotov6.GetMetadataResponse{}
	for name := range s.schemas.ResourceSchemas {
		to.Resources = append(to.Resources, tfprotov6.ResourceMetadata{TypeName: name})
	}
	for name := range s.schemas.DataSourceSchemas {
		to.DataSources = append(to.DataSources, tfprotov6.DataSourceMetadata{TypeName: name})
	}
	return to, nil
}

func (s *server) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return s.schemas, nil
}

func (s *server) GetResourceIdentitySchemas(context.Context, *tfprotov6.GetResourceIdentitySchemasRequest) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov6.GetResourceIdentitySchemasResponse{}, nil
}

func (s *server) ValidateProviderConfig(_ context.Context, r *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (s *server) ConfigureProvider(context.Context, *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	return &tfprotov6.ConfigureProviderResponse{Diagnostics: []*tfprotov6.Diagnostic{{
		Severity: tfprotov6.DiagnosticSeverityError,
		Summary:  "This provider has schemas only",
		Detail:   "It validates configurations and runs mocked tests. Install the real provider to plan and apply.",
	}}}, nil
}

func (s *server) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

func (s *server) ValidateResourceConfig(_ context.Context, r *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	found, err := s.refuseComputed(s.schemas.ResourceSchemas[r.TypeName], r.Config)
	return &tfprotov6.ValidateResourceConfigResponse{Diagnostics: found}, err
}

func (s *server) ValidateDataResourceConfig(_ context.Context, r *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	found, err := s.refuseComputed(s.schemas.DataSourceSchemas[r.TypeName], r.Config)
	return &tfprotov6.ValidateDataResourceConfigResponse{Diagnostics: found}, err
}

// UpgradeResourceState returns the state as it is: OpenTofu asks for it when a test ends.
func (s *server) UpgradeResourceState(_ context.Context, r *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	value, err := r.RawState.Unmarshal(s.schemas.ResourceSchemas[r.TypeName].ValueType())
	if err != nil {
		return nil, err
	}
	state, err := tfprotov6.NewDynamicValue(value.Type(), value)
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &state}, err
}

// refuseComputed finds attributes that a configuration sets and only a provider may set: Terraform leaves that to providers.
func (s *server) refuseComputed(schema *tfprotov6.Schema, config *tfprotov6.DynamicValue) ([]*tfprotov6.Diagnostic, error) {
	if schema == nil || config == nil {
		return nil, nil
	}
	value, err := config.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	return computedIn(schema.Block, value, tftypes.NewAttributePath())
}

func computedIn(block *tfprotov6.SchemaBlock, value tftypes.Value, at *tftypes.AttributePath) ([]*tfprotov6.Diagnostic, error) {
	if value.IsNull() || !value.IsKnown() {
		return nil, nil
	}
	var fields map[string]tftypes.Value
	if err := value.As(&fields); err != nil {
		return nil, err
	}
	var found []*tfprotov6.Diagnostic
	for _, a := range block.Attributes {
		if a.Computed && !a.Optional && !a.Required && !fields[a.Name].IsNull() {
			found = append(found, &tfprotov6.Diagnostic{
				Severity: tfprotov6.DiagnosticSeverityError, Attribute: at.WithAttributeName(a.Name),
				Summary: "Value for a computed attribute", Detail: "Only the provider sets " + a.Name + ": leave it out.",
			})
		}
	}
	for _, b := range block.BlockTypes {
		inner, err := computedInNested(b, fields[b.TypeName], at.WithAttributeName(b.TypeName))
		if err != nil {
			return nil, err
		}
		found = append(found, inner...)
	}
	return found, nil
}

// computedInNested does the same for the blocks of one type. Those of a set or map are reported at their type.
func computedInNested(b *tfprotov6.SchemaNestedBlock, value tftypes.Value, at *tftypes.AttributePath) ([]*tfprotov6.Diagnostic, error) {
	if value.IsNull() || !value.IsKnown() {
		return nil, nil
	}
	var blocks []tftypes.Value
	switch b.Nesting {
	case tfprotov6.SchemaNestedBlockNestingModeList, tfprotov6.SchemaNestedBlockNestingModeSet:
		if err := value.As(&blocks); err != nil {
			return nil, err
		}
	case tfprotov6.SchemaNestedBlockNestingModeMap:
		var named map[string]tftypes.Value
		if err := value.As(&named); err != nil {
			return nil, err
		}
		for _, v := range named {
			blocks = append(blocks, v)
		}
	default:
		return computedIn(b.Block, value, at)
	}
	var found []*tfprotov6.Diagnostic
	for _, v := range blocks {
		inner, err := computedIn(b.Block, v, at)
		if err != nil {
			return nil, err
		}
		found = append(found, inner...)
	}
	return found, nil
}
