// Evaluates pods by the code of Kubernetes' Pod Security admission at level restricted, in its newest version.
//
// Reads a JSON object a line, {"name", "metadata", "spec"}; writes a line for each. tests/k8s/admission.py runs it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

type pod struct {
	Name     string
	Metadata metav1.ObjectMeta
	Spec     corev1.PodSpec
}

func main() {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		fmt.Println(evaluate(evaluator, lines.Bytes()))
	}
}

func evaluate(evaluator policy.Evaluator, line []byte) string {
	var given pod
	if err := json.Unmarshal(line, &given); err != nil {
		return fmt.Sprintf("refused: %s: %v", given.Name, err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &given.Metadata, &given.Spec))
	if !result.Allowed {
		return fmt.Sprintf("refused: %s: %s", given.Name, result.ForbiddenDetail())
	}
	return fmt.Sprintf("allowed: %s", given.Name)
}
