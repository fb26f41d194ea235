package main

import (
	"fmt"
	"maps"
	"slices"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/zclconf/go-cty/cty"
)

var (
	blockModes = map[tfjson.SchemaNestingMode]tfprotov6.SchemaNestedBlockNestingMode{
		tfjson.SchemaNestingModeSingle: tfprotov6.SchemaNestedBlockNestingModeSingle,
		tfjson.SchemaNestingModeGroup:  tfprotov6.SchemaNestedBlockNestingModeGroup,
		tfjson.SchemaNestingModeList:   tfprotov6.SchemaNestedBlockNestingModeList,
		tfjson.SchemaNestingModeSet:    tfprotov6.SchemaNestedBlockNestingModeSet,
		tfjson.SchemaNestingModeMap:    tfprotov6.SchemaNestedBlockNestingModeMap,
	}
	objectModes = map[tfjson.SchemaNestingMode]tfprotov6.SchemaObjectNestingMode{
		tfjson.SchemaNestingModeSingle: tfprotov6.SchemaObjectNestingModeSingle,
		tfjson.SchemaNestingModeList:   tfprotov6.SchemaObjectNestingModeList,
		tfjson.SchemaNestingModeSet:    tfprotov6.SchemaObjectNestingModeSet,
		tfjson.SchemaNestingModeMap:    tfprotov6.SchemaObjectNestingModeMap,
	}
)

func schemasOf(from map[string]*tfjson.Schema) (map[string]*tfprotov6.Schema, error) {
	to := map[string]*tfprotov6.Schema{}
	for name, s := range from {
		schema, err := schemaOf(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		to[name] = schema
	}
	return to, nil
}

func schemaOf(from *tfjson.Schema) (*tfprotov6.Schema, error) {
	block, err := blockOf(from.Block)
	return &tfprotov6.Schema{Version: int64(from.Version), Block: block}, err
}

func blockOf(from *tfjson.SchemaBlock) (*tfprotov6.SchemaBlock, error) {
	to := &tfprotov6.SchemaBlock{}
	if from == nil {
		return to, nil
	}
	to.Deprecated = from.Deprecated
	var err error
	if to.Attributes, err = attributesOf(from.Attributes); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(from.NestedBlocks)) {
		nested := from.NestedBlocks[name]
		block, err := blockOf(nested.Block)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		mode, ok := blockModes[nested.NestingMode]
		if !ok {
			return nil, fmt.Errorf("%s: nesting mode %q is unknown", name, nested.NestingMode)
		}
		to.BlockTypes = append(to.BlockTypes, &tfprotov6.SchemaNestedBlock{
			TypeName: name, Block: block, Nesting: mode, MinItems: int64(nested.MinItems), MaxItems: int64(nested.MaxItems),
		})
	}
	return to, nil
}

func attributesOf(from map[string]*tfjson.SchemaAttribute) ([]*tfprotov6.SchemaAttribute, error) {
	var to []*tfprotov6.SchemaAttribute
	for _, name := range slices.Sorted(maps.Keys(from)) {
		a := from[name]
		attribute := &tfprotov6.SchemaAttribute{
			Name: name, Required: a.Required, Optional: a.Optional, Computed: a.Computed,
			Sensitive: a.Sensitive, Deprecated: a.Deprecated, WriteOnly: a.WriteOnly,
		}
		var err error
		if a.AttributeNestedType != nil {
			attribute.NestedType, err = objectOf(a.AttributeNestedType)
		} else {
			attribute.Type, err = typeOf(a.AttributeType)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		to = append(to, attribute)
	}
	return to, nil
}

func objectOf(from *tfjson.SchemaNestedAttributeType) (*tfprotov6.SchemaObject, error) {
	attributes, err := attributesOf(from.Attributes)
	if err != nil {
		return nil, err
	}
	mode, ok := objectModes[from.NestingMode]
	if !ok {
		return nil, fmt.Errorf("nesting mode %q is unknown", from.NestingMode)
	}
	return &tfprotov6.SchemaObject{Attributes: attributes, Nesting: mode}, nil
}

func typeOf(from cty.Type) (tftypes.Type, error) {
	switch {
	case from == cty.NilType:
		return nil, fmt.Errorf("it has no type")
	case from == cty.String:
		return tftypes.String, nil
	case from == cty.Number:
		return tftypes.Number, nil
	case from == cty.Bool:
		return tftypes.Bool, nil
	case from == cty.DynamicPseudoType:
		return tftypes.DynamicPseudoType, nil
	case from.IsObjectType():
		types := map[string]tftypes.Type{}
		for name, t := range from.AttributeTypes() {
			var err error
			if types[name], err = typeOf(t); err != nil {
				return nil, err
			}
		}
		return tftypes.Object{AttributeTypes: types}, nil
	case from.IsTupleType():
		var types []tftypes.Type
		for _, t := range from.TupleElementTypes() {
			element, err := typeOf(t)
			if err != nil {
				return nil, err
			}
			types = append(types, element)
		}
		return tftypes.Tuple{ElementTypes: types}, nil
	case !from.IsCollectionType():
		return nil, fmt.Errorf("type %s is unknown", from.FriendlyName())
	}
	element, err := typeOf(from.ElementType())
	if err != nil {
		return nil, err
	}
	switch {
	case from.IsListType():
		return tftypes.List{ElementType: element}, nil
	case from.IsSetType():
		return tftypes.Set{ElementType: element}, nil
	}
	return tftypes.Map{ElementType: element}, nil
}
