using System.Text.Json;
using ChannelBridge.Host.Commands.Juji;

namespace ChannelBridge.Tests.Unit.Juji;

/// <summary>Results are printed as the community's script prints them.</summary>
public sealed class PythonTextTests
{
    [Theory]
    [InlineData("""{"a":1,"b":[],"c":{},"d":[1,"x"],"e":{"f":null}}""",
        "{\n  \"a\": 1,\n  \"b\": [],\n  \"c\": {},\n  \"d\": [\n    1,\n    \"x\"\n  ],\n  \"e\": {\n    \"f\": null\n  }\n}")]
    [InlineData("""{"a":1,"b":2,"a":3}""", "{\n  \"a\": 3,\n  \"b\": 2\n}")]
    [InlineData("\"\\u6cbb\\u007f\\u0001\\n\\/\\\"\"", "\"治\u007f\\u0001\\n/\\\"\"")]
    [InlineData("1e16", "1e+16")]
    [InlineData("1E15", "1000000000000000.0")]
    [InlineData("0.0001", "0.0001")]
    [InlineData("0.00001", "1e-05")]
    [InlineData("1.0", "1.0")]
    [InlineData("-0.0", "-0.0")]
    [InlineData("0.1", "0.1")]
    [InlineData("123.456", "123.456")]
    [InlineData("5e-324", "5e-324")]
    [InlineData("1.7976931348623157e308", "1.7976931348623157e+308")]
    [InlineData("1e999", "Infinity")]
    [InlineData("1000000000000000000000000", "1000000000000000000000000")]
    [InlineData("true", "true")]
    public void Json_AsPythonDumpsIt(string json, string expected) => Assert.Equal(expected, PythonText.Json(JsonElement.Parse(json)));

    [Theory]
    [InlineData("""{"a":"x","b":{"c":"it's","d":null},"e":true}""", "- a: x\n- b: {'c': \"it's\", 'd': None}\n- e: True")]
    [InlineData("""[{"a":1.5},"x"]""", "1. {'a': 1.5}\n2. x")]
    [InlineData("null", "None")]
    [InlineData("\"text\"", "text")]
    [InlineData("""["\"'\n\u0001\u00a0\u200b\\"]""", "1. \"'\n\u0001\u00a0\u200b\\")]
    [InlineData("""[["\"'\n\u0001\u00a0\u200b\\\ud83d\ude00"]]""", "1. ['\"\\'\\n\\x01\\xa0\\u200b\\\\😀']")]
    public void Lines_AsPythonShowsValues(string json, string expected) => Assert.Equal(expected, PythonText.Lines(JsonElement.Parse(json)));
}
