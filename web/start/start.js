// Asks each service whether it answers, now and every ten seconds while the page is seen.

const rows = [...document.querySelectorAll("[data-service]")];

async function answers(service) {
  try {
    const response = await fetch(`/${service}/api/docs/openapi.json`, {
      method: "HEAD",
      cache: "no-store",
      signal: AbortSignal.timeout(5000),
    });
    return response.ok;
  } catch {
    return false;
  }
}

function say(element, good, text) {
  element.className = `${element.id || "answer"} ${good ? "good" : "bad"}`;
  if (element.textContent !== text) element.textContent = text;
}

async function look() {
  const results = await Promise.all(rows.map((row) => answers(row.dataset.service)));
  rows.forEach((row, i) =>
    say(row.querySelector(".answer"), results[i], results[i] ? "answers" : "does not answer"),
  );
  const silent = rows.filter((_, i) => !results[i]).map((row) => `${row.dataset.service}-service`);
  const state = document.getElementById("state");
  if (silent.length === 0) say(state, true, "All services answer.");
  else if (silent.length === rows.length) say(state, false, "No service answers at the moment.");
  else say(state, false, `${silent.join(" and ")} ${silent.length === 1 ? "does" : "do"} not answer at the moment.`);
}

look();
setInterval(() => document.hidden || look(), 10_000);
document.addEventListener("visibilitychange", () => document.hidden || look());
