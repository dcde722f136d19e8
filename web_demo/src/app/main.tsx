import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/controls.css";
import "./styles/screens.css";
import "./styles/result.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { BoothProvider } from "./booth";

createRoot(document.getElementById("root")!).render(
    <StrictMode>
        <BoothProvider>
            <App />
        </BoothProvider>
    </StrictMode>,
);
